// The pages' connection to the server, and the user who is signed in.

import { DdpClient } from '../bolide.js';
import { keepToken, keptToken } from './token.js';

export const client = new DdpClient();

client.on('login', keepToken);
addEventListener('online', () => client.reconnectNow());

/** Connects, and signs in with the stored token if there is one. */
export async function connect() {
  await client.connect();
  const token = keptToken();
  if (token) await client.loginWithToken(token).catch(forgetIfRejected);
}

/** Returns the current document of the signed-in user, or null if no user is signed in. */
export function currentUser() {
  if (client.userId === null) return null;
  return client.collection('users').get(client.userId) ?? { _id: client.userId };
}

export function isAdmin(user) {
  return user?.roles?.includes('admin') ?? false;
}

export function hasSecondFactor({ twoFactor }) {
  return Boolean(twoFactor?.totp || twoFactor?.email || twoFactor?.webauthn);
}

/** Keeps the token unless the server rejected it: a busy server is not a reason to sign out. */
function forgetIfRejected(error) {
  if (error.error !== 403) throw error;
  keepToken(null);
}
