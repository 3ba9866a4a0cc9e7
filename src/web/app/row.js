// A row of a list: title, badges, facts and actions.

import { element } from './element.js';

/** `facts` are texts, elements, or arrays of both. Null, undefined and false are omitted from all lists. */
export function row({ title, tooltip, badges = [], facts = [], problem, actions = [] }) {
  const possible = actions.filter(Boolean);
  return element(
    'li',
    {},
    element(
      'div',
      { class: 'row-main' },
      element('div', { class: 'badges' }, element('strong', { title: tooltip }, title), badges),
      factsLine(facts),
      problem && element('p', { class: 'error' }, problem),
    ),
    possible.length > 0 && element('div', { class: 'row-actions' }, possible),
  );
}

export function factsLine(facts) {
  const known = facts.filter(Boolean);
  return (
    known.length > 0 &&
    element(
      'p',
      { class: 'facts' },
      known.map((fact) => element('span', {}, fact)),
    )
  );
}
