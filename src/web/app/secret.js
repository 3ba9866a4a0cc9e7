// A secret that is shown once: buttons to take it along.

import { element } from './element.js';
import { action } from './form.js';
import { say } from './messages.js';

/** A text to be copied as a whole. */
export function secretText(text) {
  return element('code', { class: 'secret' }, text);
}

/** Browsers lend the clipboard to pages that came over https, or from this machine; elsewhere there is no button. */
export function copyButton(text) {
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  };
  return action('Copy', copy);
}

export function downloadButton(text, name) {
  return action('Download', () => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    element('a', { href: url, download: name }).click();
    URL.revokeObjectURL(url);
  });
}

/** Of the page, only what has the class `printed` is printed. */
export function printButton() {
  return action('Print', () => print());
}
