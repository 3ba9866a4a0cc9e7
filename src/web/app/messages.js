// Short messages in the corner: what was done, and what went wrong. Screen readers hear them.

import { element } from './element.js';
import { explain, isGivenUp } from './explain.js';

const SHOWN_FOR_MS = 7000;

/** Says that something was done. It goes away by itself. */
export function say(text) {
  const message = show(text, 'done');
  setTimeout(() => message.remove(), SHOWN_FOR_MS);
}

/** Says what went wrong. It stays until it is closed. */
export function complain(error) {
  if (!isGivenUp(error)) show(explain(error), 'failed');
}

/** What went wrong on one page is of no interest on the next. */
export function clearComplaints() {
  for (const message of document.querySelectorAll('#messages .failed')) message.remove();
}

function show(text, kind) {
  const close = element('button', { type: 'button', class: 'quiet', 'aria-label': 'Close this message', onclick: () => message.remove() }, '×');
  const message = element('p', { class: `message ${kind}` }, element('span', {}, text), close);
  document.getElementById('messages').append(message);
  return message;
}
