// The two-factor wrapper around calls: asks for a second factor when the server requires one.
//
// A call that needs a code fails with `totp-required`, and `details.method` says which: 'totp', 'email' or 'password'. The
// same call is then made again with `{ twoFactorCode, twoFactorMethod }` as an additional last parameter (a login carries the
// code differently, which is why `perform` decides). A wrong code fails with `totp-invalid`, and the user is asked again. Any
// other error, including `totp-max-attempts`, ends the call. A code is sent once and not stored.
//
// Users who have a passkey may show it instead: `details.webauthn` is what it answers. On a page that can, the first answer
// comes from the passkey without asking; if the user declines or it fails, the user is asked for a code.

import { twoFactorCanceled } from './error.js';
import { canUsePasskeys, showPasskey } from './passkeys.js';
import { sha256 } from './sha256.js';

const METHODS = ['totp', 'email', 'password'];

export class TwoFactorWrapper {
  /** The function that is asked for codes, or null. */
  ask = null;
  /** Whether a passkey answers by itself where it can. */
  showsPasskeys = true;
  /** Resolves when the last prompt is closed. */
  #lastPrompt = Promise.resolve();
  #waiting = 0;

  /** Calls `perform()`, then `perform(answer)` with a code for as long as the server asks for one. Returns its result. */
  async around(call, perform) {
    try {
      return await perform();
    } catch (error) {
      if (!isChallenge(error) || !(this.ask || this.#canShowPasskey(error, 1))) throw error;
      return this.#inTurn((hasWaited) => (hasWaited ? this.#performAgain(error, call, perform) : this.#answer(error, call, perform)));
    }
  }

  /** Shows one prompt at a time if several calls need one. */
  #inTurn(prompt) {
    const hasWaited = this.#waiting > 0;
    this.#waiting += 1;
    const turn = this.#lastPrompt.then(() => prompt(hasWaited)).finally(() => (this.#waiting -= 1));
    this.#lastPrompt = turn.catch(() => {});
    return turn;
  }

  /** Retries without a code first: the server may remember the answer to another call's prompt. */
  async #performAgain(challenge, call, perform) {
    try {
      return await perform();
    } catch (error) {
      if (!isChallenge(error)) throw error;
      return this.#answer(error, call, perform);
    }
  }

  async #answer(challenge, call, perform) {
    let error = challenge;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#codeFor(error, attempt, call);
      try {
        return await perform(answer);
      } catch (next) {
        if (!isChallenge(next)) throw next;
        error = next;
      }
    }
  }

  #canShowPasskey({ details }, attempt) {
    return this.showsPasskeys && attempt === 1 && details.webauthn && canUsePasskeys(details.webauthn.rpId);
  }

  async #codeFor(error, attempt, call) {
    const { details } = error;
    const { method } = details;
    if (this.#canShowPasskey(error, attempt)) {
      const shown = await showPasskey(details.webauthn).catch(() => null); // declined, or there is none on this device
      if (shown) return passkeyAnswer(shown);
    }
    if (!this.ask) throw error;
    const code = await this.ask({ method, details, error, attempt, call });
    if (code === null || code === undefined) throw twoFactorCanceled(details);
    if (typeof code.webauthn === 'string') return passkeyAnswer(code.webauthn);
    if (typeof code !== 'string' || code === '') throw new TypeError('onTwoFactor must return a non-empty string, or null to cancel');
    return { twoFactorCode: method === 'password' ? await sha256(code) : typedCode(code), twoFactorMethod: method };
  }
}

function passkeyAnswer(assertion) {
  return { twoFactorCode: assertion, twoFactorMethod: 'webauthn' };
}

/** Returns a code as an app or a mail shows it, from what a person typed: `123 456` and `123-456` are `123456`. */
export function typedCode(typed) {
  const digits = typed.replace(/[\s-]/g, '');
  return /^[0-9]+$/.test(digits) ? digits : typed.trim();
}

function isChallenge({ error, details }) {
  return (error === 'totp-required' || error === 'totp-invalid') && METHODS.includes(details?.method);
}
