// The collections of the app: documents, indexes, live queries, and queries that are slow or read all documents.

import { element } from '../element.js';
import { liveList } from '../live-list.js';
import { subscribe } from '../live.js';
import { factsLine } from '../row.js';
import { badge, section } from '../section.js';
import { count, size } from '../text.js';

export function collectionsPage({ signal }) {
  const list = liveList(signal, {
    subscription: subscribe(signal, 'admin:collections'),
    collection: 'adminCollections',
    order: (one, other) => one._id.localeCompare(other._id),
    row: collectionSection,
    empty: 'The application has no collections, or has not given them to `AppBuilder::collection`.',
    container: element('div', { class: 'collections' }),
  });
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, 'Live queries and slow queries are those of this server since it started.'),
    list.element,
  );
}

function collectionSection(collection) {
  const { _id, stored, error } = collection;
  const parts = error ? [element('p', { class: 'note error' }, error)] : contents(collection);
  return section({ title: _id, state: badge(stored ? 'stored' : 'in memory') }, ...parts);
}

function contents({ _id, documents, bytes, indexes, liveQueries, liveKinds, slowQueries, scans }) {
  return [
    factsLine([count(documents, 'document'), size(bytes), count(liveQueries, 'live query', 'live queries')]),
    indexes.length > 0 && indexList(indexes),
    liveKinds.length > 0 &&
      table(`Live queries of ${_id}`, ['Live queries', 'Number', 'Watchers', 'Documents'], liveKinds, ({ kind, queries, watchers, documents }) => [
        kind,
        queries,
        watchers,
        documents,
      ]),
    slowQueries.length > 0 &&
      table(`Slow queries of ${_id}`, ['Slow queries', 'Longest', 'Documents read', 'Times'], slowQueries, (slow) => [
        slow.kind,
        `${Math.round(slow.milliseconds).toLocaleString('en')} ms`,
        slow.read,
        slow.count,
      ]),
    scans.length > 0 &&
      table(`Missing indexes of ${_id}`, ['Index that would help', 'Documents read'], scans, ({ index, read }) => [`.index(${index})`, read]),
  ];
}

function indexList(indexes) {
  return element(
    'ul',
    { class: 'badges', 'aria-label': 'Indexes' },
    indexes.map(({ name, ready }) => element('li', {}, element('code', {}, name), ' ', ready ? badge('ready', 'good') : badge('being built'))),
  );
}

/** `cells(row)` returns the text of the first cell, and the numbers of the others. */
function table(label, columns, rows, cells) {
  const heading = (name, place) => element('th', { scope: 'col', class: place > 0 && 'number' }, name);
  const cell = (value) => element('td', { class: 'number' }, typeof value === 'number' ? value.toLocaleString('en') : value);
  const tableRow = ([first, ...others]) => element('tr', {}, element('th', { scope: 'row' }, element('code', {}, first)), others.map(cell));
  return element(
    'div',
    { class: 'scroll', role: 'region', 'aria-label': label, tabindex: '0' },
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, columns.map(heading))),
      element(
        'tbody',
        {},
        rows.map((row) => tableRow(cells(row))),
      ),
    ),
  );
}
