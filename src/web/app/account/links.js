// The pages that links in mails open, and the link that a new server prints. The token is removed from the address at once.

import { client, currentUser, hasSecondFactor } from '../client.js';
import { element } from '../element.js';
import { field, form } from '../form.js';
import { say } from '../messages.js';
import { forgetAddress, go } from '../address.js';

export function resetPasswordPage({ argument }) {
  return choosePassword(argument, '/reset-password', 'Choose a new password. You will be signed out everywhere else, and your tokens for programs are removed.');
}

export function enrollPage({ argument }) {
  return choosePassword(argument, '/enroll-account', 'Your account is ready. Choose a password, then set up a second factor.');
}

/** Verifies only when the button is pressed, because mail scanners open links. */
export function verifyEmailPage({ argument }) {
  if (!argument) return element('p', { class: 'lead' }, NO_TOKEN);
  forgetAddress('/verify-email');
  const page = element('div', {}, element('p', { class: 'lead' }, 'Confirm that this address is yours.'));
  const submit = async () => {
    await signsIn(() => client.loginBy('verifyEmail', argument));
    page.replaceChildren(
      element('p', { class: 'lead', role: 'status' }, 'Your address is verified.'),
      element('a', { href: '#/' }, 'Continue'),
    );
  };
  page.append(form({ button: 'Verify the address', submit }));
  return page;
}

const NO_TOKEN = 'This page needs a complete link. Open the link again from where you got it.';

function choosePassword(token, path, text) {
  if (!token) return element('p', { class: 'lead' }, NO_TOKEN);
  forgetAddress(path);
  const submit = async ({ password }) => {
    const isSignedIn = await signsIn(() => client.loginBy('resetPassword', token, password)); // as text, so that the server can check it
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
