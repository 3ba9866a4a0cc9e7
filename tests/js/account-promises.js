// What a server promises to every client about accounts, tested through each client library.
//
// In addition to the functions for `promises.js`, the adapter of a library has functions to log in:
//   client.logIn({ username, password })  → the library's result; fails with the server's error
//   client.resume(token)                  → the same
//   client.logOut()

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { nextCode, secrets } from './authenticator.js';
import { failure, until, withClient } from './promises.js';

const days = 24 * 60 * 60 * 1000;

const alice = { username: 'alice', password: 'correct horse' };
const bob = { username: 'bob', password: 'battery staple' };

export function keepsPromisesAboutAccounts(connect, ejson) {
  describe('accounts', () =>
    withClient(connect, (promise) => {
      promise('a login by password sets the user and publishes their document in `users`', async (client) => {
        await client.logIn(alice);
        assert.equal(await client.call('whoami'), 'user-alice');
        await until(client, () => client.documents('users')['user-alice']);
        const { username, emails, services } = client.documents('users')['user-alice'];
        assert.deepEqual({ username, emails, services }, {
          username: 'alice',
          emails: [{ address: 'alice@example.com', verified: true }],
          services: undefined,
        });
      });

      promise('a wrong password fails with the number 403 and does not log in', async (client) => {
        for (const user of [{ ...alice, password: 'wrong' }, { username: 'nobody', password: 'wrong' }]) {
          assert.equal((await failure(client.logIn(user))).error, 403);
        }
        await assert.rejects(client.call('whoami'));
        assert.deepEqual({ ...client.documents('users') }, {});
      });

      promise('a login accepts a plain or digested password, and an e-mail address', async (client) => {
        for (const [user, password] of [
          [{ email: 'alice@example.com' }, alice.password],
          [{ email: 'ALICE@example.com' }, { digest: await sha256(alice.password), algorithm: 'sha-256' }],
        ]) {
          assert.equal((await client.call('login', { user, password })).id, 'user-alice');
        }
        const digest = await sha256('wrong');
        assert.equal((await failure(client.call('login', { user: { username: 'alice' }, password: { digest, algorithm: 'sha-256' } }))).error, 403);
      });

      promise('every login returns the expiry of its token and its type', async (client) => {
        const login = await client.call('login', { user: { username: 'alice' }, password: alice.password });
        const again = await client.call('login', { resume: login.token });
        assert.deepEqual([login.type, again.type], ['password', 'resume']);
        for (const { id, token, tokenExpires } of [login, again]) {
          assert.deepEqual([id, token], ['user-alice', login.token]);
          const expires = tokenExpires.$date ?? tokenExpires.getTime();
          assert.deepEqual(tokenExpires, ejson.date(expires));
          assert.ok(Math.abs(expires - Date.now() - 90 * days) < days);
        }
      });

      promise('a token logs in another connection until its user logs out', async (client, { another }) => {
        const { token } = await client.call('login', { user: { username: 'alice' }, password: alice.password });
        const second = await another();
        await second.resume(token);
        assert.equal(await second.call('whoami'), 'user-alice');
        await second.logOut();
        await assert.rejects(second.call('whoami'));
        assert.deepEqual({ ...second.documents('users') }, {});
        const { error, reason } = await failure((await another()).call('login', { resume: token }));
        assert.deepEqual([error, reason], [403, "You've been logged out by the server. Please log in again."]);
      });

      promise('a login asks for the authenticator code, which is sent in `totp`', async (client) => {
        const error = await failure(client.logIn(bob));
        assert.deepEqual([error.error, error.details.method], ['totp-required', 'totp']);
        await assert.rejects(client.call('whoami'));
        const login = { user: { username: 'bob' }, password: bob.password };
        assert.equal((await failure(client.call('login', { totp: { login, code: '000000' } }))).error, 'totp-invalid');
        await assert.rejects(client.call('whoami'));
        assert.equal((await client.call('login', { totp: { login, code: await nextCode(client, secrets.bob) } })).id, 'user-bob');
        assert.equal(await client.call('whoami'), 'user-bob');
      });

      promise('a gated method asks for a code and accepts a second attempt with it', async (client) => {
        await client.logIn(alice);
        const order = { to: 'bob', amount: 5 };
        const error = await failure(client.call('transferFunds', order));
        assert.deepEqual([error.error, error.details.method], ['totp-required', 'password']);
        const code = { twoFactorCode: await sha256(alice.password), twoFactorMethod: 'password' };
        assert.deepEqual(await client.call('transferFunds', order, code), { ...order, argc: 1 });
      });
    }),
  );
}

/** Returns the hexadecimal SHA-256 of a text, the wire form of a password. */
export async function sha256(text) {
  return Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('hex');
}
