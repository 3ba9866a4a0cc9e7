// The prompt for a second factor, which `client.onTwoFactor` uses for every call that needs one.

import { client } from './client.js';
import { showDialog } from './dialogs.js';
import { element } from './element.js';
import { action, field } from './form.js';

const PURPOSES = {
  login: 'to sign in',
  saveSettings: 'to change settings',
  saveUserProfile: 'to change your account',
  '2fa:disable-email': 'to turn off codes by e-mail',
  'personalAccessTokens:generateToken': 'to create a token',
  'personalAccessTokens:regenerateToken': 'to regenerate the token',
  'personalAccessTokens:removeToken': 'to revoke the token',
  'admin:setRoles': 'to change the roles of a user',
  'admin:setActive': 'to activate or deactivate a user',
  'admin:logOut': 'to sign a user out',
  'admin:resetSecondFactors': 'to reset the second factors of a user',
  'admin:setRole': 'to change a role',
  'admin:retryMail': 'to send a mail again',
  'admin:discardMail': 'to discard a mail',
};

/** Resolves to the code that the user enters, or null if the user cancels. */
export async function askForCode({ method, details, error, call }) {
  const wrong = error.error === 'totp-invalid' ? 'That is wrong. Try again.' : '';
  const input = inputFor(method);
  const answer = await showDialog(
    { title: 'Confirm that it is you' },
    element('p', {}, question(method, details, PURPOSES[call.method] ?? 'to continue')),
    element(
      'form',
      { method: 'dialog' },
      input,
      element('p', { class: 'problem', role: 'alert' }, wrong),
      element(
        'div',
        { class: 'buttons' },
        element('button', { value: 'send', class: 'primary' }, 'Confirm'),
        element('button', { value: '', class: 'quiet', formnovalidate: true }, 'Cancel'),
        method === 'email' && sendAnother(details),
      ),
    ),
  );
  return answer === 'send' ? input.querySelector('input').value : null;
}

function question(method, { emailOrUsername, codeGenerated }, purpose) {
  if (method === 'password') return `You have no second factor yet. Enter your password ${purpose}.`;
  if (method === 'totp') return `Enter the code from your authenticator app, or a backup code, ${purpose}.`;
  const sent = codeGenerated === false ? 'A code was already sent by e-mail' : 'A code was sent by e-mail';
  const where = emailOrUsername?.includes('@') ? ` to ${emailOrUsername}` : '';
  return `${sent}${where}. Enter it ${purpose}.`;
}

function inputFor(method) {
  const attributes = { name: 'code', required: true, autofocus: true, autocapitalize: 'off', spellcheck: 'false' };
  if (method === 'password') return field({ label: 'Password', type: 'password', autocomplete: 'current-password', ...attributes });
  return field({ label: 'Code', autocomplete: 'one-time-code', class: 'code', maxlength: 40, ...attributes });
}

function sendAnother({ emailOrUsername }) {
  const button = action(
    'Send another code',
    async () => {
      await client.call('sendEmailCode', emailOrUsername);
      button.textContent = 'Sent';
    },
    { class: 'quiet' },
  );
  return button;
}
