// A section of a page: heading, description and content.

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

/** Creates a label of a word or two. `kind` is `good`, `bad` or empty. */
export function badge(text, kind = '') {
  return element('span', { class: `badge ${kind}` }, text);
}
