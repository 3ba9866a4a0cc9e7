// The second factor from setup to removal, for two users: `otplib` is the authenticator app, and codes arrive by SMTP.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { generate } from 'otplib';
import WebSocket from 'ws';
import { sha256 } from './account-promises.js';
import { Mailbox } from './mailbox.js';
import { failure, patience } from './promises.js';
import { RawClient } from './raw.js';
import { startServer } from './server.js';

const order = { to: 'bob', amount: 25 };
const receipt = { ...order, argc: 1 };
const password = 'correct horse';
const login = { user: { username: 'alice' }, password };

let mailbox, server;
before(async () => {
  mailbox = await Mailbox.open();
  server = await startServer({ flags: ['--smtp', mailbox.url] });
});
after(async () => {
  await server.stop();
  await mailbox.close();
});

const connect = () => RawClient.connect(new WebSocket(server.websocket));
const by = (twoFactorMethod, twoFactorCode) => ({ twoFactorCode, twoFactorMethod });
const totp = (code) => by('totp', code);

/** Returns the relevant parts of a challenge. */
async function asks(call) {
  const { error, details } = await failure(call);
  return [error, details.method];
}

test('alice sets up an authenticator app, which then protects her transfers', patience, async (story) => {
  let secret, backupCodes, now;
  let alice = await connect();
  const elsewhere = await connect();
  const { token } = await alice.call('login', login);
  await elsewhere.call('login', login);

  /** Moves the clock by 30 seconds, so that her app shows another code. */
  const nextCode = async () => {
    now = await alice.call('advanceClock', 30_000);
    return generate({ secret, epoch: now / 1000 });
  };

  await story.test('she scans a secret and confirms it with a code', async () => {
    const proof = by('password', await sha256(password));
    assert.deepEqual(await asks(alice.call('2fa:enable')), ['totp-required', 'password']);
    const enrolment = await alice.call('2fa:enable', proof);
    secret = enrolment.secret;
    const url = new URL(enrolment.url);
    assert.deepEqual([url.protocol, url.host, url.searchParams.get('secret')], ['otpauth:', 'totp', secret]);
    assert.equal((await failure(alice.call('2fa:validateTempToken', '000000'))).error, 'invalid-totp');
    const code = await nextCode();
    assert.deepEqual(await asks(alice.call('2fa:validateTempToken', code)), ['totp-required', 'password']);
    ({ codes: backupCodes } = await alice.call('2fa:validateTempToken', code, proof));
    assert.equal(new Set(backupCodes).size, 12);
    assert.deepEqual(await alice.call('2fa:checkCodesRemaining'), { remaining: 12 });
  });

  await story.test('her other sessions end, and this one continues', async () => {
    await elsewhere.closed;
    assert.equal(await alice.call('whoami'), 'user-alice');
  });

  await story.test('the next login asks for a code, and no code is valid twice', async () => {
    await alice.call('logout');
    assert.equal((await failure(alice.call('login', { resume: token }))).error, 403);
    assert.deepEqual(await asks(alice.call('login', login)), ['totp-required', 'totp']);
    const code = await nextCode();
    await alice.call('login', { totp: { login, code } });
    const thief = await connect();
    assert.deepEqual(await asks(thief.call('login', { totp: { login, code } })), ['totp-invalid', 'totp']);
    await thief.close();
  });

  await story.test('a transfer asks for a code, then trusts her for five minutes', async () => {
    assert.deepEqual(await asks(alice.call('transferFunds', order)), ['totp-required', 'totp']);
    assert.deepEqual(await asks(alice.call('transferFunds', order, totp('000000'))), ['totp-invalid', 'totp']);
    assert.deepEqual(await alice.call('transferFunds', order, totp(await nextCode())), receipt);
    assert.deepEqual(await alice.call('transferFunds', order), receipt);
    assert.deepEqual(await asks(alice.call('gatedNoRemember')), ['totp-required', 'totp']);
    await alice.call('advanceClock', 301_000);
    assert.deepEqual(await asks(alice.call('transferFunds', order)), ['totp-required', 'totp']);
    assert.deepEqual(await alice.call('transferFunds', order, totp(await nextCode())), receipt);
  });

  await story.test('the password does not replace the app', async () => {
    const code = by('password', await sha256(password));
    assert.deepEqual(await asks(alice.call('gatedNoRemember', code)), ['totp-invalid', 'totp']);
  });

  await story.test('without her phone she can use a backup code once', async () => {
    const [code] = backupCodes;
    assert.equal(await alice.call('gatedNoRemember', totp(code)), 'ok');
    assert.deepEqual(await asks(alice.call('gatedNoRemember', totp(code))), ['totp-invalid', 'totp']);
    assert.deepEqual(await alice.call('2fa:checkCodesRemaining'), { remaining: 11 });
    const another = await connect();
    await another.call('login', { totp: { login, code: backupCodes[1] } });
    await another.close();
    assert.deepEqual(await alice.call('2fa:checkCodesRemaining'), { remaining: 10 });
  });

  await story.test('her bot uses a bypass token, except where a second factor is required', async () => {
    await alice.call('advanceClock', 301_000);
    const wish = { tokenName: 'robot', bypassTwoFactor: true };
    assert.deepEqual(await asks(alice.call('personalAccessTokens:generateToken', wish)), ['totp-required', 'totp']);
    const robotsToken = await alice.call('personalAccessTokens:generateToken', wish, totp(await nextCode()));

    const robot = await connect();
    assert.equal((await robot.call('login', { resume: robotsToken })).id, 'user-alice');
    assert.deepEqual(await robot.call('transferFunds', order), receipt);
    assert.equal(await robot.call('gatedNoRemember'), 'ok');
    assert.deepEqual(await asks(robot.call('gatedSecondFactor')), ['totp-required', 'totp']);
    assert.equal(await robot.call('gatedSecondFactor', totp(await nextCode())), 'ok');
    await robot.close();

    const headers = { 'x-user-id': 'user-alice', 'x-auth-token': robotsToken, 'content-type': 'application/json' };
    const post = (path, more) => fetch(`${server.http}/api/v1/${path}`, { method: 'POST', headers: { ...headers, ...more }, body: '{}' });
    assert.deepEqual(await (await post('gated')).json(), { ok: true, success: true });
    const refused = await post('gatedSecondFactor');
    const { errorType, details } = await refused.json();
    assert.deepEqual([refused.status, errorType, details.method], [400, 'totp-required', 'totp']);
    const shown = await post('gatedSecondFactor', { 'x-2fa-code': await nextCode(), 'x-2fa-method': 'totp' });
    assert.equal(shown.status, 200);

    assert.deepEqual(await asks(alice.call('personalAccessTokens:removeToken', { tokenName: 'robot' })), ['totp-required', 'totp']);
    await alice.call('personalAccessTokens:removeToken', { tokenName: 'robot' }, totp(await nextCode()));
    assert.equal((await post('gated')).status, 401);
  });

  await story.test('she turns off the app with a code, and is then asked for her password', async () => {
    assert.equal(await alice.call('2fa:disable', await nextCode()), true);
    assert.deepEqual(await asks(alice.call('gatedNoRemember')), ['totp-required', 'password']);
  });

  await alice.close();
});

test('emma gets codes by mail for her login and her transfers', patience, async (story) => {
  const emma = await connect();
  const login = { user: { username: 'emma' }, password: 'envelope please' };

  await story.test('the login sends a code to all her addresses', async () => {
    const { error, details } = await failure(emma.call('login', login));
    assert.deepEqual([error, details.method, details.codeGenerated, details.emailOrUsername], ['totp-required', 'email', true, 'emma']);
    const code = await mailbox.nextCode('emma@example.com');
    assert.equal(await mailbox.nextCode('emma@example.org'), code);
    const wrong = code === '000-000' ? '000001' : '000000';
    assert.deepEqual(await asks(emma.call('login', { totp: { login, code: wrong } })), ['totp-invalid', 'email']);
    assert.equal((await emma.call('login', { totp: { login, code } })).id, 'user-emma');
  });

  await story.test('a gated call sends another code, which is valid once', async () => {
    assert.deepEqual(await asks(emma.call('transferFunds', order)), ['totp-required', 'email']);
    const code = (await mailbox.nextCode('emma@example.com')).replace('-', '');
    assert.deepEqual(await emma.call('transferFunds', order, by('email', code)), receipt);
    assert.deepEqual(await emma.call('transferFunds', order), receipt);
    assert.deepEqual(await asks(emma.call('gatedNoRemember', by('email', code))), ['totp-invalid', 'email']);
  });

  await emma.close();
});
