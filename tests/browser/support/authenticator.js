// An independent authenticator app: it reads QR codes from the screen and computes codes.

import assert from 'node:assert/strict';
import jsQR from 'jsqr';
import { createGuardrails, generate } from 'otplib';
import { PNG } from 'pngjs';

/** Secrets of the conformance server's users; real ones are longer. */
export const BOB = { secret: 'JBSWY3DPEHPK3PXP' };
export const ZOE = { secret: 'KRSXG5CTMVRXEZLU' };

const guardrails = createGuardrails({ MIN_SECRET_BYTES: 10 });

/** Reads the QR code in an element. */
export async function scan(element) {
  const { data, width, height } = PNG.sync.read(await element.screenshot());
  const found = jsQR(new Uint8ClampedArray(data), width, height);
  assert.ok(found, 'there is no QR code');
  const url = new URL(found.data);
  assert.equal(`${url.protocol}//${url.host}`, 'otpauth://totp');
  const { secret, issuer } = Object.fromEntries(url.searchParams);
  return { secret, issuer, label: decodeURIComponent(url.pathname.slice(1)) };
}

/** Returns the code for a time in milliseconds. */
export function codeAt(milliseconds, { secret }) {
  return generate({ secret, epoch: Math.floor(milliseconds / 1000), guardrails });
}

/** Returns a code that the server has not seen yet, after moving its clock forward by one step. */
export async function nextCode(server, account) {
  return codeAt(await server.passTime(30), account);
}

/** Returns a code that is wrong in the current, previous and next step. */
export async function wrongCode(server, account) {
  const now = await server.passTime(0);
  const near = await Promise.all([-60, -30, 0, 30, 60].map((seconds) => codeAt(now + seconds * 1000, account)));
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !near.includes(code));
}
