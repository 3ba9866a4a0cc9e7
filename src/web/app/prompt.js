// The question for a second factor: what `client.onTwoFactor` is given. It comes when a call needs it, whichever that is.

import { client } from './client.js';
import { showDialog } from './dialogs.js';
import { element } from './element.js';
import { action, field } from './form.js';

const PURPOSES = {
  login: 'to sign in',
  saveSettings: 'to change settings',
  saveUserProfile: 'to change your account',
  '2fa:disable-email': 'to turn off codes by e-mail',
  'personalAccessTokens:generateToken': 'to make a token',
  'personalAccessTokens:regenerateToken': 'to make the token anew',
  'personalAccessTokens:removeToken': 'to revoke the token',
  'admin:setRoles': 'to change the roles of a user',
  'admin:setActive': 'to let a user in or keep a user out',
  'admin:logOut': 'to log a user out',
  'admin:resetSecondFactors': 'to reset the second factors of a user',
  'admin:setRole': 'to change a role',
  'admin:retryMail': 'to send a mail again',
  'admin:discardMail': 'to discard a mail',
};

/** Gives the code that the user types, or null if the user gives up. */
export async function askForCode({ method, details, error, call }) {
  const wrong = error.error === 'totp-invalid' ? 'That was wrong. Try again.' : '';
  const input = inputFor(method);
  const answer = await showDialog(
    { title: 'Confirm that it is you' },
    element('p', {}, question(method, details, PURPOSES[call.method] ?? 'to go on')),
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
  return answer === 'send' ? input.querySelector('input').value.trim() : null;
}

function question(method, { emailOrUsername, codeGenerated }, purpose) {
  if (method === 'password') return `You have no second factor yet. Type your password ${purpose}.`;
  if (method === 'totp') return `Type the code that your authenticator app shows, or a backup code, ${purpose}.`;
  const sent = codeGenerated === false ? 'A code was sent by e-mail before' : 'A code is on its way by e-mail';
  const where = emailOrUsername?.includes('@') ? ` to ${emailOrUsername}` : '';
  return `${sent}${where}. Type it ${purpose}.`;
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
