// The pages behind the links in mails, and behind the one that a new server prints. The token leaves the address at once.

import { passwordDigest } from '../../bolide.js';
import { client, currentUser, hasSecondFactor } from '../client.js';
import { element } from '../element.js';
import { explain } from '../explain.js';
import { field, form } from '../form.js';
import { say } from '../messages.js';
import { forgetAddress, go } from '../address.js';

export function resetPasswordPage({ argument }) {
  return choosePassword(argument, '/reset-password', 'Choose a new password. You are then signed out everywhere else.');
}

export function enrollPage({ argument }) {
  return choosePassword(argument, '/enroll-account', 'Your account is ready. Choose its password; then we protect it with a second factor.');
}

export function verifyEmailPage({ argument }) {
  const outcome = element('p', { class: 'lead', role: 'status' }, argument ? 'Verifying your address …' : NO_TOKEN);
  const next = element('a', { href: '#/', hidden: true }, 'Go on');
  if (argument) verify(argument, outcome).finally(() => (next.hidden = false));
  return element('div', {}, outcome, next);
}

const NO_TOKEN = 'This link was opened before. Open it again where it came from.';

function choosePassword(token, path, text) {
  if (!token) return element('p', { class: 'lead' }, NO_TOKEN);
  forgetAddress(path);
  const submit = async ({ password }) => {
    const isSignedIn = await unlessItTakesAFactor(() => passwordDigest(password).then((digest) => client.loginBy('resetPassword', token, digest)));
    if (isSignedIn) return go(hasSecondFactor(currentUser()) ? '/account' : '/account/two-factor');
    go('/sign-in');
    say('Your password was changed. Sign in with it.');
  };
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, text),
    form(
      { button: 'Set the password', submit },
      field({ label: 'New password', name: 'password', type: 'password', autocomplete: 'new-password', required: true, 'data-focus': true }),
    ),
  );
}

async function verify(token, outcome) {
  forgetAddress('/verify-email');
  try {
    await unlessItTakesAFactor(() => client.loginBy('verifyEmail', token));
    outcome.textContent = 'Your address is verified.';
  } catch (error) {
    outcome.textContent = explain(error);
    outcome.classList.add('error');
  }
}

/** A link signs in, but for users who have a second factor: what it was for is done, and they sign in as usual. */
async function unlessItTakesAFactor(open) {
  try {
    await open();
    return true;
  } catch (error) {
    if (error.error !== '2fa-enabled') throw error;
    return false;
  }
}
