// Errors in words that tell users what to do.

const SENTENCES = {
  'connection-lost': 'The connection was lost before the server answered. See whether it was done, and try again if not.',
  'totp-max-attempts': 'Too many wrong codes. Wait a while, then try again.',
  'totp-required': 'This needs a second factor.',
  'error-not-allowed': 'An admin has turned this off.',
  'error-action-not-allowed': 'Only admins may do this.',
  'not-authorized': 'You may not do this.',
  'error-token-already-exists': 'You have a token of this name already. Choose another name.',
  'invalid-totp': 'That code was wrong. Codes change every 30 seconds; see that the clock of your phone is right.',
  400: 'The server does not take this value. Check what you wrote.',
  500: 'Something went wrong on the server. Its log says what.',
};

/** What went wrong, for people. Texts that the server wrote for people are shown as they are. */
export function explain(error) {
  if (error.error === undefined) console.error(error); // a mistake of ours
  if (error.error === 400 && error.reason !== 'Match failed') return sentence(error.reason);
  return SENTENCES[error.error] ?? sentence(error.reason ?? error.message);
}

/** Whether the user gave up, which needs no explanation. */
export function isGivenUp(error) {
  return error.error === 'totp-canceled';
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
