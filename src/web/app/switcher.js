// One list after the other in the same place: the next one takes it when its documents are there, so that nothing flickers.

import { element } from './element.js';

/** Gives `{ element, show }`. `show(make)` calls `make(signal)`, which gives `{ element, ready }`; the signal ends it. */
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
