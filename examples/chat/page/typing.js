// Who is typing in the open room. Events of a volatile stream may be missed, so each counts for a while only.

import { client } from './client.js';

/** How often the server is told that the user is typing, and how long the others show it. */
const TOLD_EVERY_MS = 2_000;
const SHOWN_FOR_MS = 5_000;

const line = document.getElementById('typing');

/** The users who are typing, each with the timer that forgets them. */
const typing = new Map();
let toldAt = -Infinity;

/** Tells the others that the user is typing in a room. */
export function tellTyping(room) {
  if (performance.now() - toldAt < TOLD_EVERY_MS) return;
  toldAt = performance.now();
  client.call('typing', room).catch(() => {}); // the next one may arrive
}

/** The message was sent: the next one is told of at once. */
export function endTyping() {
  toldAt = -Infinity;
}

export function noteTyping(name) {
  if (name === client.collection('users').get(client.userId)?.username) return;
  clearTimeout(typing.get(name));
  typing.set(name, setTimeout(() => forgetTyping(name), SHOWN_FOR_MS));
  show();
}

/** Forgets one user, or all. */
export function forgetTyping(name) {
  for (const one of name === undefined ? [...typing.keys()] : [name]) {
    clearTimeout(typing.get(one));
    typing.delete(one);
  }
  show();
}

function show() {
  line.textContent = [...typing.keys()].map((name) => `${name} is typing …`).join(' ');
}
