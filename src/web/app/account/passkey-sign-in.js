// Signing in with a passkey alone: by a button, and by a choice in the field for the username.

import { canUsePasskeys } from '../../bolide.js';
import { client } from '../client.js';
import { action } from '../form.js';
import { watchPublicSetting } from '../live.js';
import { complain } from '../messages.js';

const ALLOWED = 'Accounts_TwoFactorAuthentication_Passkey_Login';

/** How long a choice is offered before it is offered again. The server takes an answer for five minutes. */
const OFFER_MS = 240_000;

/**
 * Returns the button, which is hidden where passkeys cannot be used, and `alone(run)`, which runs what may ask for a passkey
 * in another way. `prepare` is called before the user is signed in.
 */
export function passkeySignIn(signal, prepare) {
  const offers = new Offers(signal, prepare);
  const button = action('Sign in with a passkey', () => offers.pause(() => signIn(prepare)), { hidden: true });
  watchPublicSetting(signal, ALLOWED, (isAllowed) => {
    button.hidden = isAllowed !== true || !canUsePasskeys();
    if (!button.hidden) offers.begin();
  });
  return { button, alone: (run) => offers.pause(run) };
}

async function signIn(prepare, how) {
  prepare();
  try {
    await client.loginWithPasskey(how);
  } catch (error) {
    if (error.error === undefined) throw Object.assign(new Error(), { error: 'passkey-declined' });
    throw error.error === 403 ? Object.assign(new Error(), { error: 'passkey-unknown' }) : error;
  }
}

/** Offers passkeys beside the user names that the browser knows. A browser has one request at a time. */
class Offers {
  #signal;
  #prepare;
  #open = null;
  #hasBegun = false;

  constructor(signal, prepare) {
    this.#signal = signal;
    this.#prepare = prepare;
    signal.addEventListener('abort', () => this.#open?.abort(), { once: true });
  }

  async begin() {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (await PublicKeyCredential.isConditionalMediationAvailable?.()) this.#offer();
  }

  /** Withdraws the offer while something else asks for a passkey. */
  async pause(run) {
    const wasOpen = this.#open !== null;
    this.#open?.abort();
    this.#open = null;
    await run().finally(() => wasOpen && this.#offer());
  }

  async #offer() {
    if (this.#signal.aborted || client.userId !== null) return;
    const offer = new AbortController();
    this.#open = offer;
    const timer = setTimeout(() => offer.abort('again'), OFFER_MS);
    const problem = await signIn(this.#prepare, { mediation: 'conditional', signal: offer.signal }).then(
      () => null,
      (error) => error,
    );
    clearTimeout(timer);
    if (offer.signal.reason === 'again') this.#offer();
    else if (problem && problem.error !== 'passkey-declined') complain(problem);
  }
}
