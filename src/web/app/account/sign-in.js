// Signing in, and requesting a new password. The prompt for a second factor opens by itself.

import { client } from '../client.js';
import { element } from '../element.js';
import { checkbox, field, form } from '../form.js';
import { watchPublicSetting } from '../live.js';
import { say } from '../messages.js';
import { staySignedIn } from '../token.js';
import { passkeySignIn } from './passkey-sign-in.js';

export function signInPage({ signal }) {
  const signUp = element('p', { class: 'aside' }, 'New here? ', element('a', { href: '#/sign-up' }, 'Create an account'));
  watchPublicSetting(signal, 'Accounts_Registration_Enabled', (isOpen) => (signUp.hidden = isOpen === false));
  const stay = checkbox({ label: 'Stay signed in on this device', name: 'stay' });
  const passkey = passkeySignIn(signal, () => staySignedIn(stay.querySelector('input').checked));
  return element(
    'div',
    {},
    form(
      { button: 'Sign in', submit: (values) => passkey.alone(() => signIn(values)), others: [passkey.button] },
      field({
        label: 'Username or e-mail address',
        name: 'user',
        autocomplete: 'username webauthn',
        autocapitalize: 'off',
        spellcheck: 'false',
        required: true,
        'data-focus': true,
      }),
      field({ label: 'Password', name: 'password', type: 'password', autocomplete: 'current-password', required: true }),
      stay,
    ),
    element('p', { class: 'aside' }, element('a', { href: '#/forgot-password' }, 'Forgot your password?')),
    signUp,
  );
}

async function signIn({ user, password, stay }) {
  staySignedIn(stay);
  await client.loginWithPassword({ user: user.trim(), password });
}

export function forgotPasswordPage() {
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, 'We will send you a link to choose a new password.'),
    form(
      { button: 'Send the link', submit: askForLink },
      field({ label: 'E-mail address', name: 'email', type: 'email', autocomplete: 'email', required: true, 'data-focus': true }),
    ),
    element('p', { class: 'aside' }, element('a', { href: '#/sign-in' }, 'Back to sign in')),
  );
}

async function askForLink({ email }) {
  await client.call('forgotPassword', { email: email.trim() });
  say('If there is an account with this address, a mail was sent to it.');
}
