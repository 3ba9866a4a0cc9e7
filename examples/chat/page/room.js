// The open room: its newest messages, older ones on demand, and who is typing.

import { attempt, client, onSubmit } from './client.js';
import { element } from './element.js';
import { endTyping, forgetTyping, noteTyping, tellTyping } from './typing.js';

/** How many messages are shown at first, and how many more on demand. */
const STEP = 50;

const section = document.getElementById('room');
const list = document.getElementById('messages');
const older = document.getElementById('older');
const remove = document.getElementById('remove');
const newMessage = document.getElementById('new-message');
const messages = client.collection('messages');

/** The open room with its subscriptions, and the maximum number of messages that it shows. */
let room = null;

messages.onChange(({ type, document }) => {
  if (type === 'added') forgetTyping(document.from);
  render();
});
client.collection('stream-typing').onChange(({ document: { eventName, args } }) => {
  if (eventName === room?.id) noteTyping(...args);
});
older.addEventListener('click', () => attempt(showMore));
remove.addEventListener('click', () => attempt(() => client.call('removeRoom', room.id)));
newMessage.addEventListener('input', () => tellTyping(room.id));
onSubmit(newMessage, async ({ text }) => {
  newMessage.reset();
  endTyping();
  await client.call('sendMessage', room.id, text);
});

export function openRoom({ _id, name, owner }) {
  closeRoom();
  room = { id: _id, count: 0, messages: null, typing: client.subscribe('stream-typing', _id) };
  section.querySelector('h2').textContent = name;
  remove.hidden = owner !== client.userId;
  section.hidden = false;
  attempt(showMore);
}

export function closeRoom() {
  section.hidden = true;
  room?.messages.stop();
  room?.typing.stop();
  room = null;
  forgetTyping();
  render();
}

/** Subscribes to more messages. The server sends only those that the client does not have yet. */
async function showMore() {
  const before = room.messages;
  room.count += STEP;
  room.messages = client.subscribe('messages', room.id, room.count);
  await room.messages.ready;
  before?.stop();
}

function render() {
  const shown = messages.all().filter(({ rid }) => rid === room?.id).sort(byTime);
  const wasAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 50;
  list.replaceChildren(...shown.map(item));
  if (wasAtEnd) list.scrollTop = list.scrollHeight;
  older.hidden = shown.length < room?.count;
}

function item({ from, text, ts }) {
  const time = element('time', { dateTime: ts.toISOString() }, ts.toLocaleTimeString());
  return element('li', {}, element('b', {}, from), ' ', element('span', {}, text), ' ', time);
}

function byTime(one, other) {
  return one.ts - other.ts || (one._id < other._id ? -1 : 1);
}
