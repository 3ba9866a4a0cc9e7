// A dialog that asks for a code from the user's authenticator app, for methods that take one as a parameter.

import { typedCode } from '../../bolide.js';
import { showDialog } from '../dialogs.js';
import { element } from '../element.js';
import { action, field, form } from '../form.js';

/** Calls `use(code)` until it succeeds or the user cancels. */
export async function askForOwnCode({ title, text, button, kind }, use) {
  const close = (made) => made.closest('dialog').close();
  const cancel = action('Cancel', () => close(cancel), { class: 'quiet' });
  const submit = async ({ code }, made) => {
    await use(typedCode(code));
    close(made);
  };
  await showDialog(
    { title },
    element('p', {}, text),
    form(
      { button, kind, submit, others: [cancel] },
      field({
        label: 'Code from your app, or a backup code',
        name: 'code',
        class: 'code',
        autocomplete: 'one-time-code',
        autocapitalize: 'off',
        spellcheck: 'false',
        maxlength: 40,
        required: true,
        autofocus: true,
      }),
    ),
  );
}
