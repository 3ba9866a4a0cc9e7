// The prompt for a second factor, which `client.onTwoFactor` uses for every call that needs one.

import { canUsePasskeys, showPasskey } from '../bolide.js';
import { client, currentUser } from './client.js';
import { showDialog } from './dialogs.js';
import { element } from './element.js';
import { action, field } from './form.js';
import { complain } from './messages.js';

const PURPOSES = {
  login: 'to sign in',
  saveSettings: 'to change settings',
  saveUserProfile: 'to change your account',
  changePassword: 'to change your password',
  generate2faActivationQrCode: 'to set up an authenticator app',
  '2fa:validateTempToken': 'to turn on the app',
  '2fa:enable-email': 'to turn on codes by e-mail',
  '2fa:disable-email': 'to turn off codes by e-mail',
  'passkeys:beginRegistration': 'to add a passkey',
  'passkeys:rename': 'to rename a passkey',
  'passkeys:remove': 'to remove a passkey',
  'passkeys:regenerateCodes': 'to create new backup codes',
  'personalAccessTokens:generateToken': 'to create a token',
  'personalAccessTokens:regenerateToken': 'to regenerate the token',
  'personalAccessTokens:removeToken': 'to revoke the token',
  'admin:setRoles': 'to change the roles of a user',
  'admin:setActive': 'to activate or deactivate a user',
  'admin:addUser': 'to add a user',
  'admin:endSession': 'to end a session',
  'admin:logOut': 'to sign a user out',
  'admin:resetSecondFactors': 'to reset the second factors of a user',
  'admin:setRole': 'to change a role',
  'admin:retryMail': 'to send a mail again',
  'admin:discardMail': 'to discard a mail',
};

/** How long the password that began to set up an app is kept. The server keeps the app as long. */
const SET_UP_MS = 600_000;

/** The password that began to set up an app. Confirming the app asks for it as well, and nobody should type it twice. */
let setUp = null;

/** Resolves to the code that the user enters, to the answer of a passkey, or to null if the user cancels. */
export async function askForCode({ method, details, error, call, attempt }) {
  if (call.method === '2fa:validateTempToken' && method === 'password' && attempt === 1) {
    const typed = takeSetUp();
    if (typed !== null) return typed;
  }
  const code = await prompt({ method, details, error, call });
  if (call.method === 'generate2faActivationQrCode' && method === 'password') keepSetUp(code);
  return code;
}

/** Returns the password with which this user began to set up an app, or null, and forgets it. */
export function takeSetUp() {
  const password = setUp?.user === client.userId ? setUp.password : null;
  clearTimeout(setUp?.timer);
  setUp = null;
  return password;
}

function keepSetUp(password) {
  takeSetUp();
  if (password !== null) setUp = { user: client.userId, password, timer: setTimeout(takeSetUp, SET_UP_MS) };
}

async function prompt({ method, details, error, call }) {
  const wrong = error.error === 'totp-invalid' ? 'That is wrong. Try again.' : '';
  const input = inputFor(method);
  const shown = {};
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
        details.webauthn && canUsePasskeys(details.webauthn.rpId) && passkeyButton(details.webauthn, shown),
        method === 'email' && sendAnother(details),
      ),
    ),
  );
  if (shown.webauthn) return shown;
  return answer === 'send' ? input.querySelector('input').value : null;
}

/** Returns a button that shows a passkey, for users who have declined at first, and for browsers that want a click. */
function passkeyButton(request, shown) {
  const button = action('Use a passkey', async () => {
    const webauthn = await showPasskey(request).catch(() => null);
    if (!webauthn) return complain(Object.assign(new Error(), { error: 'passkey-not-used' }));
    shown.webauthn = webauthn;
    button.closest('dialog').close();
  });
  return button;
}

function question(method, { emailOrUsername, codeGenerated }, purpose) {
  if (method === 'password') return `You have no second factor yet. Enter your password ${purpose}.`;
  if (method === 'totp' && currentUserHasApp()) return `Enter the code from your authenticator app, or a backup code, ${purpose}.`;
  if (method === 'totp') return `Use your passkey, or enter a backup code, ${purpose}.`;
  const sent = codeGenerated === false ? 'A code was already sent by e-mail' : 'A code was sent by e-mail';
  const where = emailOrUsername?.includes('@') ? ` to ${emailOrUsername}` : '';
  return `${sent}${where}. Enter it ${purpose}.`;
}

/** Returns whether the user may have an app. At login, it is not known. */
function currentUserHasApp() {
  const { twoFactor } = currentUser() ?? {};
  return !twoFactor || twoFactor.totp || !twoFactor.webauthn;
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
