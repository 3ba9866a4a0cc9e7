// An authenticator app: `otplib`, which goes by the server's clock.

import { createGuardrails, generate } from 'otplib';

/** Those of the conformance server's users, shorter than the library would have them. */
export const secrets = { bob: 'JBSWY3DPEHPK3PXP', zoe: 'KRSXG5CTMVRXEZLU' };

const guardrails = createGuardrails({ MIN_SECRET_BYTES: 10 });

/** The code that the app shows half a minute later: the server takes none twice. */
export async function nextCode(client, secret) {
  const now = await client.call('advanceClock', 30_000);
  return generate({ secret, epoch: now / 1000, guardrails });
}
