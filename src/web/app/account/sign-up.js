// Creating an account, if admins allow it.

import { client } from '../client.js';
import { element } from '../element.js';
import { field, form } from '../form.js';
import { watchPublicSetting } from '../live.js';
import { go } from '../address.js';

export function signUpPage({ signal }) {
  const closed = element('p', { class: 'lead' }, 'Only admins can create accounts here. Ask an admin for one.');
  const open = form(
    { button: 'Create the account', submit: signUp },
    field({
      label: 'Username',
      name: 'username',
      autocomplete: 'username',
      autocapitalize: 'off',
      spellcheck: 'false',
      required: true,
      'data-focus': true,
    }),
    field({ label: 'E-mail address', name: 'email', type: 'email', autocomplete: 'email', hint: 'For resetting your password and for codes.' }),
    field({ label: 'Password', name: 'password', type: 'password', autocomplete: 'new-password', required: true }),
  );
  watchPublicSetting(signal, 'Accounts_Registration_Enabled', (isOpen) => {
    open.hidden = isOpen === false;
    closed.hidden = !open.hidden;
  });
  return element('div', {}, open, closed, element('p', { class: 'aside' }, 'Have an account? ', element('a', { href: '#/sign-in' }, 'Sign in')));
}

async function signUp({ username, email, password }) {
  const address = email.trim() ? { email: email.trim() } : {};
  await client.loginBy('createUser', { username: username.trim(), ...address, password }); // as text, so that the server can check it
  if (address.email) await client.call('sendVerificationEmail', address.email);
  go('/account/two-factor');
}
