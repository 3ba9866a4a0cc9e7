// Live data: subscriptions and documents that last as long as a page is shown. `signal` aborts when the page is left.

import { client } from './client.js';

/** How long changes are collected before they are shown. */
const PAUSE_MS = 20;

/** Subscribes until the page ends. */
export function subscribe(signal, name, ...params) {
  const subscription = client.subscribe(name, ...params);
  signal.addEventListener('abort', () => subscription.stop(), { once: true });
  return subscription;
}

/** Calls `show(documents)` now and after each change of the collection. Returns a function that calls it again. */
export function watch(signal, collection, show) {
  const documents = client.collection(collection);
  let isDue = false;
  const showNow = () => {
    isDue = false;
    if (!signal.aborted) show(documents.all());
  };
  const stop = documents.onChange(() => {
    if (isDue) return;
    isDue = true;
    setTimeout(showNow, PAUSE_MS);
  });
  signal.addEventListener('abort', stop, { once: true });
  showNow();
  return showNow;
}

/** Returns the value of a public setting, or undefined while it is unknown. */
export function publicSetting(id) {
  return client.collection('publicSettings').get(id)?.value;
}

/** Calls `show(value)` with a public setting, now and after each change. */
export function watchPublicSetting(signal, id, show) {
  watch(signal, 'publicSettings', () => show(publicSetting(id)));
}
