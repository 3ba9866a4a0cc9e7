// A live list: the documents of a publication, with notes while it loads, when it is empty, and when it fails.

import { element } from './element.js';
import { explain } from './explain.js';
import { watch } from './live.js';
import { Rows } from './rows.js';

/**
 * Shows the documents of a collection. Returns `{ element, refresh }`.
 * - `subscription`: the subscription that sends them;
 * - `collection`, `select(document)`, `order(one, other)`: which documents are shown, and in which order;
 * - `row(document)`: returns the element of a document;
 * - `empty`: the note when there are no documents;
 * - `container`: the parent of the rows, by default a list; `frame`: the element to hide while there are no documents.
 */
export function liveList(
  signal,
  { subscription, collection, select = () => true, order, row, empty, container = element('ul', { class: 'rows' }), frame = container },
) {
  const note = element('p', { class: 'note' }, 'Loading …');
  const rows = new Rows(container, row);
  let state = 'loading';

  const refresh = watch(signal, collection, (documents) => {
    if (state === 'loading') return; // the documents may belong to another subscription
    const shown = documents.filter(select).sort(order);
    rows.show(shown);
    frame.hidden = shown.length === 0;
    note.hidden = state !== 'failed' && shown.length > 0;
    if (state === 'ready') note.textContent = empty;
  });
  follow(subscription, signal, {
    ready: () => {
      state = 'ready';
      refresh();
    },
    failed: (error) => {
      state = 'failed';
      note.textContent = explain(error);
      note.classList.add('error');
      refresh();
    },
  });
  return { element: element('div', { class: 'live' }, frame, note), refresh };
}

function follow({ ready, ended }, signal, listener) {
  ready.then(listener.ready, () => {}); // `ended` reports failures
  ended.then((error) => error && !signal.aborted && listener.failed(error));
}
