// A secret that is shown once, with buttons to copy, download or print it.

import { element } from './element.js';
import { action } from './form.js';
import { say } from './messages.js';

/** Returns a secret that is selected and copied as a whole. */
export function secretText(text) {
  return element('code', { class: 'secret' }, text);
}

/** Returns a copy button, or null without a clipboard: browsers offer it only to pages from https or localhost. */
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

/** Returns a print button. Only elements with the class `printed` are printed. */
export function printButton() {
  return action('Print', () => print());
}
