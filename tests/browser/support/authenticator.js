// An authenticator app that is none of ours: it reads QR codes from what is on the screen, and shows codes.

import assert from 'node:assert/strict';
import jsQR from 'jsqr';
import { createGuardrails, generate } from 'otplib';
import { PNG } from 'pngjs';

/** Secrets of the conformance server's users; they are shorter than one would make them. */
export const BOB = { secret: 'JBSWY3DPEHPK3PXP' };
export const ZOE = { secret: 'KRSXG5CTMVRXEZLU' };

const guardrails = createGuardrails({ MIN_SECRET_BYTES: 10 });

/** Reads the QR code that an element shows. */
export async function scan(element) {
  const { data, width, height } = PNG.sync.read(await element.screenshot());
  const found = jsQR(new Uint8ClampedArray(data), width, height);
  assert.ok(found, 'there is no QR code');
  const url = new URL(found.data);
  assert.equal(`${url.protocol}//${url.host}`, 'otpauth://totp');
  const { secret, issuer } = Object.fromEntries(url.searchParams);
  return { secret, issuer, label: decodeURIComponent(url.pathname.slice(1)) };
}

/** The code for a time, in milliseconds. */
export function codeAt(milliseconds, { secret }) {
  return generate({ secret, epoch: Math.floor(milliseconds / 1000), guardrails });
}

/** A code that the server has not seen yet: its clock goes on by a step. */
export async function nextCode(server, account) {
  return codeAt(await server.passTime(30), account);
}

/** A code that is wrong now, and before and after. */
export async function wrongCode(server, account) {
  const now = await server.passTime(0);
  const near = await Promise.all([-60, -30, 0, 30, 60].map((seconds) => codeAt(now + seconds * 1000, account)));
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !near.includes(code));
}
