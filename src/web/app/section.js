// A part of a page: a heading, what it is about, and what can be done there.

import { element } from './element.js';
import { newId } from './form.js';

export function section({ title, about, state }, ...content) {
  const id = newId();
  const heading = element('h2', { id }, title);
  return element(
    'section',
    { 'aria-labelledby': id },
    element('div', { class: 'section-head' }, heading, state),
    about && element('p', { class: 'about' }, about),
    ...content,
  );
}

/** A word or two in a box: `good`, `bad` or neither. */
export function badge(text, kind = '') {
  return element('span', { class: `badge ${kind}` }, text);
}
