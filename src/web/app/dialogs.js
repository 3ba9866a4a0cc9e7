// Dialogs: confirmation before something that cannot be undone, and dialogs that pages build.

import { element } from './element.js';
import { newId } from './form.js';

/** Shows a dialog with a heading. When it is closed, resolves to the value of the pressed button, or an empty string. */
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

/** Cancels all open dialogs, because the page that they belong to is left. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close('');
}

/** Asks for confirmation. Resolves to true if the user confirms. */
export async function confirm({ title, text, button }) {
  const buttons = element(
    'form',
    { method: 'dialog', class: 'buttons' },
    element('button', { value: 'yes', class: 'danger' }, button),
    element('button', { value: '', class: 'quiet', autofocus: true }, 'Cancel'),
  );
  return (await showDialog({ title, role: 'alertdialog' }, element('p', {}, text), buttons)) === 'yes';
}
