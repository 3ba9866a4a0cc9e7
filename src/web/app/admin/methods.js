// Every method and endpoint with its two-factor policy, number of calls, number of errors, and latency.

import { element } from '../element.js';
import { checkbox, choice, field } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe } from '../live.js';
import { badge } from '../section.js';
import { nodesOf } from './nodes.js';

const COLUMNS = ['Name', 'Policy', 'Calls', 'Errors', 'Median', '99 %'];

const byName = (one, other) => one.name.localeCompare(other.name) || one._id.localeCompare(other._id);
const most = (field) => (one, other) => other[field] - one[field] || byName(one, other);
const ORDERS = { name: byName, calls: most('calls'), errors: most('errors'), time: most('p99Milliseconds') };
const ORDER_NAMES = [
  ['name', 'by name'],
  ['calls', 'most calls first'],
  ['errors', 'most errors first'],
  ['time', 'slowest first'],
];

export function methodsPage({ signal }) {
  const filter = { text: '', isGated: false, order: 'name' };
  const body = element('tbody');
  const table = element(
    'table',
    {},
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        COLUMNS.map((name, i) => element('th', { scope: 'col', class: i > 1 && 'number' }, name)),
      ),
    ),
    body,
  );
  const frame = element('div', { class: 'scroll', role: 'region', 'aria-label': 'Methods and endpoints', tabindex: '0' }, table);
  const subscription = subscribe(signal, 'admin:methods');
  const list = liveList(signal, {
    subscription,
    collection: 'methods',
    select: ({ name, node = '', gated }) =>
      `${name} ${node}`.toLowerCase().includes(filter.text) && (gated || !filter.isGated),
    order: (one, other) => ORDERS[filter.order](one, other),
    row: methodRow,
    empty: 'There are no matching methods.',
    container: body,
    frame,
  });
  const change = (changes) => {
    Object.assign(filter, changes);
    list.refresh();
  };
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, 'Times and counts are for each server since it started.'),
    nodesOf(signal).silent,
    element(
      'div',
      { class: 'filters', role: 'search' },
      field({ label: 'Name', type: 'search', autocomplete: 'off', oninput: ({ target }) => change({ text: target.value.trim().toLowerCase() }) }),
      choice({ label: 'Order', options: ORDER_NAMES, onchange: ({ target }) => change({ order: target.value }) }),
      checkbox({ label: 'Only those that require a second factor', onchange: ({ target }) => change({ isGated: target.checked }) }),
    ),
    list.element,
  );
}

function methodRow(method) {
  const { kind, name, node, verb, calls, errors, p50Milliseconds, p99Milliseconds } = method;
  const number = (value) => element('td', { class: 'number' }, value);
  return element(
    'tr',
    {},
    element(
      'th',
      { scope: 'row' },
      kind === 'endpoint' && element('span', { class: 'verb' }, `${verb} `),
      element('code', {}, name),
      node && element('span', { class: 'faint' }, ` ${node}`),
    ),
    element('td', { class: 'policy' }, policy(method)),
    number(calls.toLocaleString('en')),
    number(errors.toLocaleString('en')),
    number(calls > 0 ? milliseconds(p50Milliseconds) : '–'),
    number(calls > 0 ? milliseconds(p99Milliseconds) : '–'),
  );
}

function policy({ gated, passwordFallback, rememberMe, secondFactorRequired, maxAgeSeconds }) {
  if (!gated) return element('span', { class: 'faint' }, 'open');
  return element('div', { class: 'badges' }, [
    badge('second factor', 'good'),
    rememberMe === false && badge('every time'),
    passwordFallback === false && badge('no password fallback'),
    secondFactorRequired && badge('also for trusted clients'),
    maxAgeSeconds && badge(`at most ${maxAgeSeconds} s old`),
  ]);
}

function milliseconds(value) {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
