// Short messages in the corner: confirmations and errors. Screen readers announce them.

import { element } from './element.js';
import { explain, isCancelled } from './explain.js';

const SHOWN_FOR_MS = 7000;

/** Shows a confirmation, which disappears after a few seconds. */
export function say(text) {
  const message = show(text, 'done');
  setTimeout(() => message.remove(), SHOWN_FOR_MS);
}

/** Shows an error, which stays until the user closes it. */
export function complain(error) {
  if (!isCancelled(error)) show(explain(error), 'failed');
}

/** Removes error messages, because they belong to the page that is left. */
export function clearComplaints() {
  for (const message of document.querySelectorAll('#messages .failed')) message.remove();
}

function show(text, kind) {
  const close = element('button', { type: 'button', class: 'quiet', 'aria-label': 'Close this message', onclick: () => message.remove() }, '×');
  const message = element('p', { class: `message ${kind}` }, element('span', {}, text), close);
  document.getElementById('messages').append(message);
  return message;
}
