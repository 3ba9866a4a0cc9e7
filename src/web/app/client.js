// The one connection of the pages to their server, and who is signed in over it.

import { DdpClient } from '../bolide.js';
import { keepToken, keptToken } from './token.js';

export const client = new DdpClient();

client.on('login', keepToken);
addEventListener('online', () => client.reconnectNow());

/** Connects, and signs in again whoever was. */
export async function connect() {
  await client.connect();
  const token = keptToken();
  if (token) await client.loginWithToken(token).catch(forgetIfRefused);
}

/** The user's own document, which changes as the user does; null for nobody. */
export function currentUser() {
  if (client.userId === null) return null;
  return client.collection('users').get(client.userId) ?? { _id: client.userId };
}

export function isAdmin(user) {
  return user?.roles?.includes('admin') ?? false;
}

export function hasSecondFactor({ twoFactor }) {
  return Boolean(twoFactor?.totp || twoFactor?.email);
}

/** A server that is too busy for now is no reason to sign in anew. */
function forgetIfRefused(error) {
  if (error.error !== 403) throw error;
  keepToken(null);
}
