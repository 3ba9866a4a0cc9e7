// A dialog in which an admin adds a user.

import { client } from '../client.js';
import { showDialog } from '../dialogs.js';
import { element } from '../element.js';
import { checkbox, field, form } from '../form.js';
import { say } from '../messages.js';

export async function addUser() {
  const cancel = element('button', { type: 'button', class: 'quiet', onclick: ({ target }) => target.closest('dialog').close('') }, 'Cancel');
  const submit = async ({ username, email, password, admin }, made) => {
    const name = username.trim();
    await client.call('admin:addUser', { username: name, email: email.trim(), password, roles: admin ? ['admin', 'user'] : ['user'] });
    made.closest('dialog').close('');
    say(password ? `${name} was added.` : `${name} was added, and is sent a link to choose a password.`);
  };
  await showDialog(
    { title: 'Add a user' },
    form(
      { button: 'Add', submit, others: [cancel] },
      field({ label: 'Username', name: 'username', required: true, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' }),
      field({ label: 'E-mail address', name: 'email', type: 'email', autocomplete: 'off' }),
      field({
        label: 'Password',
        name: 'password',
        type: 'password',
        autocomplete: 'new-password',
        hint: 'Without one, the user is sent a mail with a link to choose it.',
      }),
      checkbox({ label: 'Admin', name: 'admin' }),
    ),
  );
}
