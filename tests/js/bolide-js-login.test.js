// `bolide.js`: logins, and the wrapper that handles two-factor challenges. The server is a fake one, which
// returns the documented errors as each test requires.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe } from 'node:test';
import { DdpError, passwordDigest } from '../../src/web/bolide.js';
import { withFake } from './bolide-js.js';
import { failure, patience, until } from './promises.js';

describe('login', patience, () => {
  withFake('a password is sent as its digest, for a username or an address', async (fake, client) => {
    await client.ddp.connect();
    const login = await client.ddp.loginWithPassword({ user: 'alice', password: 'correct horse' });
    await client.ddp.loginWithPassword({ user: 'alice@example.com', password: 'correct horse' });
    const password = { digest: createHash('sha256').update('correct horse').digest('hex'), algorithm: 'sha-256' };
    assert.deepEqual(fake.paramsOf('login'), [[{ user: { username: 'alice' }, password }], [{ user: { email: 'alice@example.com' }, password }]]);
    assert.deepEqual(login, { userId: 'user-alice', token: 'token-1', tokenExpires: new Date(1_900_000_000_000) });
    assert.equal(client.ddp.userId, 'user-alice');
  });

  withFake('a new session logs in before it sends anything else', async (fake, client) => {
    await client.ddp.connect();
    await client.ddp.loginWithToken('kept');
    client.ddp.subscribe('mine');
    await fake.next('sub');
    fake.forgetSessions();
    fake.hangUp();
    await until(client, () => client.ddp.status === 'waiting');
    const late = client.call('whoami');
    assert.equal(await late, 'user-alice');
    const inOrder = fake.messages.slice(fake.messages.findLastIndex(({ msg }) => msg === 'connect')).map(({ msg, method }) => method ?? msg);
    assert.deepEqual(inOrder, ['connect', 'login', 'sub', 'whoami']);
  });

  withFake('a rejected token logs the client out', async (fake, client) => {
    await client.ddp.connect();
    await client.ddp.loginWithToken('kept');
    const heard = new Promise((resolve) => client.ddp.on('login', (login, error) => resolve({ login, error })));
    fake.on('login', () => ({ error: { error: 403, reason: "You've been logged out by the server. Please log in again." } }));
    fake.forgetSessions();
    fake.hangUp();
    const { login, error } = await heard;
    assert.equal(login, null);
    assert.equal(error.error, 403);
    assert.equal(client.ddp.userId, null);
    assert.equal(await client.call('whoami'), null);
  });

  withFake('a login that cannot be renewed yet is retried', async (fake, client) => {
    await client.ddp.connect();
    await client.ddp.loginWithToken('kept');
    const answer = fake.on('login', () => {
      fake.on('login', answer);
      return { error: { error: 'too-many-requests', reason: 'Error, too many requests.' } };
    });
    fake.forgetSessions();
    fake.hangUp();
    await client.cameBack();
    assert.equal(client.ddp.userId, 'user-alice');
    assert.equal(fake.paramsOf('login').length, 3);
  });

  withFake('logging out forgets the token', async (fake, client) => {
    await client.ddp.connect();
    await client.ddp.loginWithToken('kept');
    await client.ddp.logout();
    assert.equal(client.ddp.userId, null);
    fake.forgetSessions();
    fake.hangUp();
    await client.cameBack();
    assert.equal(fake.paramsOf('login').length, 1);
  });
});

describe('second factors', patience, () => {
  const required = (details) => ({ error: { error: 'totp-required', reason: 'TOTP Required', details } });
  const invalid = (details) => ({ error: { error: 'totp-invalid', reason: 'TOTP Invalid', details } });
  const totp = { method: 'totp', codeGenerated: false, availableMethods: ['totp'] };

  /** A challenge that requires the code 123456. */
  const transfer = (order, answer) => {
    if (!answer?.twoFactorCode) return required(totp);
    return answer.twoFactorCode === '123456' ? { result: order.amount } : invalid(totp);
  };

  withFake('a challenged call is repeated with the code as its last parameter', async (fake, client) => {
    fake.on('transfer', transfer);
    await client.ddp.connect();
    const challenges = [];
    client.ddp.onTwoFactor(async (challenge) => (challenges.push(challenge), '123456'));
    assert.equal(await client.call('transfer', { amount: 5 }), 5);
    assert.deepEqual(fake.paramsOf('transfer'), [[{ amount: 5 }], [{ amount: 5 }, { twoFactorCode: '123456', twoFactorMethod: 'totp' }]]);
    const error = new DdpError({ error: 'totp-required', reason: 'TOTP Required', details: totp });
    assert.deepEqual(challenges, [{ method: 'totp', details: totp, error, attempt: 1, call: { method: 'transfer', params: [{ amount: 5 }] } }]);
  });

  withFake('after a wrong code the user is asked again, and no code is sent twice', async (fake, client) => {
    fake.on('transfer', transfer);
    await client.ddp.connect();
    const codes = ['000000', '111111', '123456'];
    const seen = [];
    client.ddp.onTwoFactor(({ attempt, error }) => (seen.push([attempt, error.error]), codes[attempt - 1]));
    assert.equal(await client.call('transfer', { amount: 5 }), 5);
    assert.deepEqual(seen, [[1, 'totp-required'], [2, 'totp-invalid'], [3, 'totp-invalid']]);
    await client.call('transfer', { amount: 6 });
    assert.deepEqual(fake.paramsOf('transfer').map(([, answer]) => answer?.twoFactorCode), [undefined, ...codes, undefined, ...codes]);
  });

  for (const nothing of [null, undefined]) {
    withFake(`an answer of ${nothing} gives up`, async (fake, client) => {
      fake.on('transfer', transfer);
      await client.ddp.connect();
      client.ddp.onTwoFactor(async () => nothing);
      assert.equal((await failure(client.call('transfer', { amount: 5 }))).error, 'totp-canceled');
      assert.equal(fake.paramsOf('transfer').length, 1);
    });
  }

  withFake('an answer that is not a code fails the call and is not sent', async (fake, client) => {
    fake.on('transfer', transfer);
    await client.ddp.connect();
    client.ddp.onTwoFactor(() => 123456);
    await assert.rejects(client.call('transfer', { amount: 5 }), TypeError);
    assert.equal(fake.paramsOf('transfer').length, 1);
  });

  withFake('too many wrong codes end the call', async (fake, client) => {
    fake.on('transfer', (_, answer) => (answer ? { error: { error: 'totp-max-attempts', details: totp } } : required(totp)));
    await client.ddp.connect();
    client.ddp.onTwoFactor(() => '000000');
    assert.equal((await failure(client.call('transfer', { amount: 5 }))).error, 'totp-max-attempts');
    assert.equal(fake.paramsOf('transfer').length, 2);
  });

  withFake('a password is sent as its digest', async (fake, client) => {
    fake.on('transfer', (_, answer) => (answer ? { result: 'done' } : required({ ...totp, method: 'password', availableMethods: [] })));
    await client.ddp.connect();
    client.ddp.onTwoFactor(() => 'correct horse');
    assert.equal(await client.call('transfer', {}), 'done');
    const [, [, answer]] = fake.paramsOf('transfer');
    assert.deepEqual(answer, { twoFactorCode: createHash('sha256').update('correct horse').digest('hex'), twoFactorMethod: 'password' });
  });

  withFake('without a handler, or for an unknown method, the challenge is returned', async (fake, client) => {
    fake.on('transfer', ({ method }) => required({ method }));
    await client.ddp.connect();
    assert.equal((await failure(client.call('transfer', { method: 'totp' }))).error, 'totp-required');
    client.ddp.onTwoFactor(() => assert.fail('it should not ask'));
    for (const method of ['webauthn', undefined]) assert.equal((await failure(client.call('transfer', { method }))).error, 'totp-required');
  });

  withFake('parallel calls ask one at a time, and retry without a code first', async (fake, client) => {
    let isRemembered = false;
    fake.on('transfer', (order, answer) => {
      isRemembered ||= answer?.twoFactorCode === '123456';
      return isRemembered ? { result: order.amount } : required(totp);
    });
    await client.ddp.connect();
    let [open, prompts] = [0, 0];
    client.ddp.onTwoFactor(async () => {
      open += 1;
      prompts += 1;
      assert.equal(open, 1);
      await new Promise(setImmediate);
      open -= 1;
      return '123456';
    });
    assert.deepEqual(await Promise.all([1, 2, 3].map((amount) => client.call('transfer', { amount }))), [1, 2, 3]);
    assert.equal(prompts, 1);
  });

  withFake('a challenged login is wrapped with the code; the prompt has no password', async (fake, client) => {
    fake.on('login', ({ totp: wrapped }) => {
      if (!wrapped) return required(totp);
      return wrapped.code === '123456' ? { result: { id: 'user-bob', token: 't' } } : invalid(totp);
    });
    await client.ddp.connect();
    const calls = [];
    client.ddp.onTwoFactor(({ attempt, call }) => (calls.push(call), attempt === 1 ? '999999' : '123456'));
    await client.ddp.loginWithPassword({ user: 'bob', password: 'battery staple' });
    const login = { user: { username: 'bob' }, password: await passwordDigest('battery staple') };
    assert.deepEqual(fake.paramsOf('login'), [[login], [{ totp: { login, code: '999999' } }], [{ totp: { login, code: '123456' } }]]);
    assert.deepEqual(calls, [{ method: 'login', params: [] }, { method: 'login', params: [] }]);
    assert.equal(client.ddp.userId, 'user-bob');
  });
});
