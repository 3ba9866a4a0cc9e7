// Replaces one list with another when the documents of the new one have arrived, to avoid flicker.

import { element } from './element.js';

/** Returns `{ element, show }`. `show(make)` calls `make(signal)`, which returns `{ element, ready }` and ends with the signal. */
export function switcher(signal) {
  const place = element('div');
  let shown = new AbortController();
  const show = (make) => {
    shown.abort();
    const next = new AbortController();
    shown = next;
    const { element: made, ready } = make(AbortSignal.any([signal, next.signal]));
    const takePlace = () => !next.signal.aborted && place.replaceChildren(made);
    if (place.hasChildNodes()) ready.then(takePlace, takePlace);
    else takePlace();
  };
  return { element: place, show };
}
