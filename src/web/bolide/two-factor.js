// The two-factor wrapper: what any DDP client puts around its calls so that a server can ask for a second factor.
//
// A call that needs one fails with `totp-required`, and `details.method` says which: 'totp', 'email' or 'password'. The
// same call is then made again, with `{ twoFactorCode, twoFactorMethod }` as one last parameter (a login packs the code
// otherwise; that is why `perform` decides). A wrong code fails with `totp-invalid`, and one may try again. Anything else,
// `totp-max-attempts` too, is how the call ends. A code is sent once and then forgotten.

import { twoFactorCanceled } from './error.js';
import { sha256 } from './sha256.js';

const METHODS = ['totp', 'email', 'password'];

export class TwoFactorWrapper {
  /** Who is asked for codes: a function of a challenge, or null. */
  ask = null;
  /** Settles when no prompt is shown any more. */
  #lastPrompt = Promise.resolve();
  #waiting = 0;

  /** Gives what `perform(answer)` gives: first called without an answer, and with one as long as the server asks for it. */
  async around(call, perform) {
    try {
      return await perform();
    } catch (error) {
      if (!this.ask || !isChallenge(error)) throw error;
      return this.#inTurn((hasWaited) => (hasWaited ? this.#performAgain(error, call, perform) : this.#answer(error, call, perform)));
    }
  }

  /** One prompt at a time, if several calls need one. */
  #inTurn(prompt) {
    const hasWaited = this.#waiting > 0;
    this.#waiting += 1;
    const turn = this.#lastPrompt.then(() => prompt(hasWaited)).finally(() => (this.#waiting -= 1));
    this.#lastPrompt = turn.catch(() => {});
    return turn;
  }

  /** The answer to another call's prompt may have satisfied the server, if it remembers. */
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

  async #codeFor(error, attempt, call) {
    const { details } = error;
    const { method } = details;
    const code = await this.ask({ method, details, error, attempt, call });
    if (code === null || code === undefined) throw twoFactorCanceled(details);
    if (typeof code !== 'string' || code === '') throw new TypeError('onTwoFactor must give a text that is not empty, or null to give up');
    return { twoFactorCode: method === 'password' ? await sha256(code) : code, twoFactorMethod: method };
  }
}

function isChallenge({ error, details }) {
  return (error === 'totp-required' || error === 'totp-invalid') && METHODS.includes(details?.method);
}
