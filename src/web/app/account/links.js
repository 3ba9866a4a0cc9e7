// The pages that links in mails open, and the link that a new server prints. The token is removed from the address at once.

import { passwordDigest } from '../../bolide.js';
import { client, currentUser, hasSecondFactor } from '../client.js';
import { element } from '../element.js';
import { explain } from '../explain.js';
import { field, form } from '../form.js';
import { say } from '../messages.js';
import { forgetAddress, go } from '../address.js';

export function resetPasswordPage({ argument }) {
  return choosePassword(argument, '/reset-password', 'Choose a new password. You will be signed out everywhere else.');
}

export function enrollPage({ argument }) {
  return choosePassword(argument, '/enroll-account', 'Your account is ready. Choose a password, then set up a second factor.');
}

export function verifyEmailPage({ argument }) {
  const outcome = element('p', { class: 'lead', role: 'status' }, argument ? 'Verifying your address …' : NO_TOKEN);
  const next = element('a', { href: '#/', hidden: true }, 'Continue');
  if (argument) verify(argument, outcome).finally(() => (next.hidden = false));
  return element('div', {}, outcome, next);
}

const NO_TOKEN = 'This page needs a complete link. Open the link again from where you got it.';

function choosePassword(token, path, text) {
  if (!token) return element('p', { class: 'lead' }, NO_TOKEN);
  forgetAddress(path);
  const submit = async ({ password }) => {
    const isSignedIn = await signsIn(() => passwordDigest(password).then((digest) => client.loginBy('resetPassword', token, digest)));
    if (isSignedIn) return go(hasSecondFactor(currentUser()) ? '/account' : '/account/two-factor');
    go('/sign-in');
    say('Your password was changed. Sign in with the new password.');
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
    await signsIn(() => client.loginBy('verifyEmail', token));
    outcome.textContent = 'Your address is verified.';
  } catch (error) {
    outcome.textContent = explain(error);
    outcome.classList.add('error');
  }
}

/** Opens a link. Returns false for users with a second factor: the link has taken effect, but they must sign in as usual. */
async function signsIn(open) {
  try {
    await open();
    return true;
  } catch (error) {
    if (error.error !== '2fa-enabled') throw error;
    return false;
  }
}
