// Errors as sentences that tell users what to do.

const SENTENCES = {
  'connection-lost': 'The connection was lost before the server answered. Check whether your change was made, and try again if it was not.',
  'totp-max-attempts': 'Too many wrong codes. Wait a while before you try again.',
  'totp-required': 'This needs a second factor.',
  'error-recent-login-required': 'Sign out and sign in again first: you have no password and no second factor that could be asked for.',
  'error-not-allowed': 'An admin has turned off this feature.',
  'error-action-not-allowed': 'Only admins can do this.',
  'not-authorized': 'You do not have permission to do this.',
  'error-token-already-exists': 'You already have a token with this name. Choose another name.',
  'invalid-totp': 'That code was wrong. Codes change every 30 seconds; check that the clock of your phone is right.',
  'passkey-not-used': 'No passkey was used. Try again, or enter a code.',
  'passkey-known': 'This device has a passkey for your account already.',
  'passkey-not-made': 'No passkey was made. Try again.',
  'passkey-declined': 'No passkey was used. Try again, or sign in with your password.',
  'passkey-unknown': 'This passkey is not registered here, or cannot sign in alone.',
  400: 'The server rejected this value. Check your input.',
  500: 'Something went wrong on the server. Its log has the details.',
};

const POLICY = 'error-password-policy-not-met';

/** Returns a sentence for the error. Texts that the server wrote for people are shown unchanged. */
export function explain(error) {
  if (error.error === undefined) console.error(error); // a bug in the pages
  if (error.error === 400 && error.reason !== 'Match failed') return sentence(error.reason);
  if (error.error === POLICY && Array.isArray(error.details)) return error.details.map(({ message }) => sentence(message)).join(' ');
  return SENTENCES[error.error] ?? sentence(error.reason ?? error.message);
}

/** Returns whether the user cancelled, which needs no explanation. */
export function isCancelled(error) {
  return error.error === 'totp-canceled';
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
