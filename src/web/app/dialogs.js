// Dialogs: a question before something that cannot be undone, and others that a page makes.

import { element } from './element.js';
import { newId } from './form.js';

/** Shows a dialog with a heading until it is closed. Settles with how: the value of its button, or an empty text. */
export function showDialog({ title, role }, ...content) {
  const id = newId();
  const dialog = element('dialog', { 'aria-labelledby': id, role }, element('h2', { id }, title), ...content);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/** Closes what is open, as if its user had given up: it belongs to a page that is left. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close('');
}

/** Asks whether to go on; true if so. */
export async function confirm({ title, text, button }) {
  const buttons = element(
    'form',
    { method: 'dialog', class: 'buttons' },
    element('button', { value: 'yes', class: 'danger' }, button),
    element('button', { value: '', class: 'quiet', autofocus: true }, 'Cancel'),
  );
  return (await showDialog({ title, role: 'alertdialog' }, element('p', {}, text), buttons)) === 'yes';
}
