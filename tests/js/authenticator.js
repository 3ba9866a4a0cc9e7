// An authenticator app: `otplib`, using the server's clock.

import { createGuardrails, generate } from 'otplib';

/** The secrets of the conformance server's users, shorter than the library normally allows. */
export const secrets = { bob: 'JBSWY3DPEHPK3PXP', zoe: 'KRSXG5CTMVRXEZLU' };

const guardrails = createGuardrails({ MIN_SECRET_BYTES: 10 });

/** Returns the code of 30 seconds later, because the server accepts each code only once. */
export async function nextCode(client, secret) {
  const now = await client.call('advanceClock', 30_000);
  return generate({ secret, epoch: now / 1000, guardrails });
}
