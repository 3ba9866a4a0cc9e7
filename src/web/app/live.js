// What is shown as it is now: subscriptions and documents, as long as a page is shown. `signal` is the page's end.

import { client } from './client.js';

/** How long changes are gathered before they are shown. */
const PAUSE_MS = 20;

/** Subscribes until the page ends. */
export function subscribe(signal, name, ...params) {
  const subscription = client.subscribe(name, ...params);
  signal.addEventListener('abort', () => subscription.stop(), { once: true });
  return subscription;
}

/** Calls `show(documents)` now, and after the documents of a collection have changed. Gives a function that does it again. */
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

/** The value of a public setting; undefined as long as it is not known. */
export function publicSetting(id) {
  return client.collection('publicSettings').get(id)?.value;
}

/** Calls `show(value)` with a public setting, now and whenever an admin changes it. */
export function watchPublicSetting(signal, id, show) {
  watch(signal, 'publicSettings', () => show(publicSetting(id)));
}
