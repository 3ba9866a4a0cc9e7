// A list that follows a publication: what is shown while it loads, when there is nothing, and when it fails.

import { element } from './element.js';
import { explain } from './explain.js';
import { watch } from './live.js';
import { Rows } from './rows.js';

/**
 * Shows the documents of a collection. Gives `{ element, refresh }`.
 * - `subscription`: where they come from;
 * - `collection`, `select(document)`, `order(one, other)`: which, and in which order;
 * - `row(document)`: an element for each;
 * - `empty`: what is said when there is none;
 * - `container`: what the rows are put into, a list if nothing else is said; `frame`: what is hidden while there is none.
 */
export function liveList(
  signal,
  { subscription, collection, select = () => true, order, row, empty, container = element('ul', { class: 'rows' }), frame = container },
) {
  const note = element('p', { class: 'note' }, 'Loading …');
  const rows = new Rows(container, row);
  let state = 'loading';

  const refresh = watch(signal, collection, (documents) => {
    if (state === 'loading') return; // what is there may be of another subscription
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
  ready.then(listener.ready, () => {}); // that it failed, `ended` says
  ended.then((error) => error && !signal.aborted && listener.failed(error));
}
