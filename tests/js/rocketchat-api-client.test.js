// `@rocket.chat/api-client`, Rocket.Chat's REST client: its two-factor handler, and a REST token used over DDP.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RestClient } from '@rocket.chat/api-client';
import { DDPSDK } from '@rocket.chat/ddp-client';
import WebSocket from 'ws';
import { sha256 } from './account-promises.js';
import { nextCode, secrets } from './authenticator.js';
import { patience } from './promises.js';
import { RawClient } from './raw.js';
import { startServer } from './server.js';

globalThis.WebSocket ??= WebSocket; // global in Node.js from version 22

describe('@rocket.chat/api-client', patience, () => {
  let server, clock;
  before(async () => {
    server = await startServer();
    clock = await RawClient.connect(new WebSocket(server.websocket));
  });
  after(async () => {
    await clock.close();
    await server.stop();
  });

  const client = () => new RestClient({ baseUrl: server.http });

  /** Logs in with this body and returns the client. */
  const signedIn = async (body) => {
    const rest = client();
    const { status, data } = await rest.post('/v1/login', body);
    assert.equal(status, 'success');
    rest.setCredentials({ 'X-User-Id': data.userId, 'X-Auth-Token': data.authToken });
    return rest;
  };

  /** Answers challenges from a list, and records them. */
  const answers = (rest, ...codes) => {
    const challenges = [];
    rest.handleTwoFactorChallenge(async (challenge) => {
      challenges.push(challenge);
      return codes[challenges.length - 1]();
    });
    return challenges;
  };

  /** Returns the status and the body of a failed request. */
  const refusal = async (request) => {
    const response = await request.then((answer) => assert.fail(`it should have been refused: ${JSON.stringify(answer)}`), (refused) => refused);
    return [response.status, await response.json()];
  };

  const call = async (rest, method, ...params) => {
    const message = JSON.stringify({ msg: 'method', id: '1', method, params });
    return JSON.parse((await rest.post(`/v1/method.call/${method}`, { message })).message);
  };

  test('it logs in by username and by address, and gets the user', async () => {
    for (const user of ['alice', 'alice@example.com']) {
      const rest = await signedIn({ user, password: 'correct horse' });
      const me = await rest.get('/v1/me');
      assert.deepEqual([me._id, me.username], ['user-alice', 'alice']);
      assert.deepEqual(await call(rest, 'whoami'), { msg: 'result', id: '1', result: 'user-alice' });
    }
  });

  test('a wrong password is rejected with 401', async () => {
    const [status, body] = await refusal(client().post('/v1/login', { user: 'alice', password: 'wrong' }));
    assert.deepEqual([status, body.status], [401, 'error']);
  });

  test('a login without the required code fails with 401, and succeeds with it', async () => {
    const rest = client();
    const challenges = answers(rest);
    const login = { user: 'bob', password: 'battery staple' };
    const [status, body] = await refusal(rest.post('/v1/login', login));
    assert.deepEqual([status, body.error, body.details.method], [401, 'totp-required', 'totp']);
    assert.deepEqual(challenges, []);
    await signedIn({ ...login, code: await nextCode(clock, secrets.bob) });
  });

  test('its handler is asked until the code is correct, then not for a while', async () => {
    const rest = await signedIn({ user: 'bob', password: 'battery staple', code: await nextCode(clock, secrets.bob) });
    const challenges = answers(rest, () => '000000', () => nextCode(clock, secrets.bob));
    assert.deepEqual(await rest.post('/v1/gated', {}), { ok: true, success: true });
    const asked = challenges.map(({ method, invalidAttempt }) => [method, invalidAttempt]);
    assert.deepEqual(asked, [['totp', false], ['totp', true]]);
    await rest.post('/v1/gated', {});
    assert.deepEqual(await call(rest, 'gated'), { msg: 'result', id: '1', result: 'ok' });
    assert.equal(challenges.length, 2);
  });

  test('a user without a second factor is asked for the password, as a hash', async () => {
    const rest = await signedIn({ user: 'alice', password: 'correct horse' });
    const challenges = answers(rest, () => sha256('correct horse'));
    await rest.post('/v1/gatedSecondFactor', {});
    assert.equal(challenges[0].method, 'password');
  });

  test('a challenge over `method.call` is a 400 with the challenge in its message', async () => {
    const rest = await signedIn({ user: 'alice', password: 'correct horse' });
    const message = JSON.stringify({ msg: 'method', id: '1', method: 'transferFunds', params: [{ to: 'bob', amount: 5 }] });
    const [status, body] = await refusal(rest.post('/v1/method.call/transferFunds', { message }));
    assert.deepEqual([status, body.success, JSON.parse(body.message).error.error], [400, false, 'totp-required']);
    const code = { twoFactorCode: await sha256('correct horse'), twoFactorMethod: 'password' };
    assert.deepEqual((await call(rest, 'transferFunds', { to: 'bob', amount: 5 }, code)).result, { to: 'bob', amount: 5, argc: 1 });
  });

  test('a bypass token is asked only where a second factor is required', async () => {
    const rest = await signedIn({ user: 'zoe', password: 'belt and braces', code: await nextCode(clock, secrets.zoe) });
    const challenges = answers(rest, () => nextCode(clock, secrets.zoe));
    const { token } = await rest.post('/v1/users.generatePersonalAccessToken', { tokenName: 'robot', bypassTwoFactor: true });
    assert.equal(challenges.length, 1);
    const { tokens } = await rest.get('/v1/users.getPersonalAccessTokens');
    assert.deepEqual(tokens.map(({ name, lastTokenPart, bypassTwoFactor }) => [name, lastTokenPart, bypassTwoFactor]), [['robot', token.slice(-6), true]]);
    const robot = client();
    robot.setCredentials({ 'X-User-Id': 'user-zoe', 'X-Auth-Token': token });
    assert.deepEqual(await robot.post('/v1/gated', {}), { ok: true, success: true });
    const [status, body] = await refusal(robot.post('/v1/gatedSecondFactor', {}));
    assert.deepEqual([status, body.errorType, body.details.method], [400, 'totp-required', 'totp']);
  });

  test('requests after a logout are rejected with 401', async () => {
    const rest = await signedIn({ user: 'alice', password: 'correct horse' });
    await rest.post('/v1/logout', {});
    assert.equal((await refusal(rest.get('/v1/me')))[0], 401);
  });

  test('`@rocket.chat/ddp-client` logs in with a REST token, which REST still accepts', async () => {
    const { data } = await client().post('/v1/login', { user: 'alice', password: 'correct horse' });
    const sdk = DDPSDK.create(server.http);
    await sdk.connection.connect();
    await sdk.account.loginWithToken(data.authToken);
    assert.deepEqual([sdk.account.uid, await sdk.call('whoami')], ['user-alice', 'user-alice']);
    assert.equal((await sdk.rest.get('/v1/me'))._id, 'user-alice');
    const code = await sha256('correct horse');
    sdk.rest.handleTwoFactorChallenge(async () => code);
    assert.deepEqual(await sdk.rest.post('/v1/gatedNoRemember', {}), { ok: true, success: true });
    assert.equal(await sdk.call('gatedNoRemember', { twoFactorCode: code, twoFactorMethod: 'password' }), 'ok');
    sdk.connection.close();
    sdk.timeoutControl.stop();
  });
});
