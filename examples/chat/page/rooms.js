// The list of rooms, those that were used last at the top.

import { client, onSubmit } from './client.js';
import { element } from './element.js';
import { closeRoom, openRoom } from './room.js';

const list = document.getElementById('rooms');
const newRoom = document.getElementById('new-room');
const rooms = client.collection('rooms');
let open = null;

/** Shows the rooms from now on. */
export function showRooms() {
  client.subscribe('rooms');
  rooms.onChange(({ type, id }) => {
    if (type === 'removed' && id === open) show(null);
    else render();
  });
  onSubmit(newRoom, async ({ name }) => {
    const id = await client.call('createRoom', name);
    newRoom.reset();
    show(id);
  });
}

function show(id) {
  open = id;
  if (id === null) closeRoom();
  else openRoom(rooms.get(id));
  render();
}

function render() {
  const latestFirst = rooms.all().sort((one, other) => other.latest - one.latest);
  list.replaceChildren(...latestFirst.map(item));
}

function item({ _id, name }) {
  const button = element('button', { ariaCurrent: String(_id === open), onclick: () => show(_id) }, name);
  return element('li', {}, button);
}
