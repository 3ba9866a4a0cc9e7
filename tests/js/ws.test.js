// `ws`: the offers of browsers and other programs when they open a WebSocket, and close codes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { keepsPromisesAboutMethods, keepsPromisesAboutPublications, patience, plainJson } from './promises.js';
import { RawClient } from './raw.js';
import { startServer } from './server.js';

const connect = (server, options) => RawClient.connect(new WebSocket(server.websocket, options));

keepsPromisesAboutMethods(connect, plainJson);
keepsPromisesAboutPublications(connect, plainJson);

describe('the upgrade', patience, () => {
  const server = serverOfThisGroup();

  test('permessage-deflate is declined when it is offered', async () => {
    const socket = new WebSocket(server().websocket, { perMessageDeflate: { clientMaxWindowBits: 15 } });
    const client = await RawClient.connect(socket);
    assert.equal(socket.extensions, '');
    assert.equal(await client.call('add', 2, 3), 5);
    await client.close();
  });

  test('a client that does not offer compression is accepted', async () => {
    const client = await connect(server(), { perMessageDeflate: false });
    assert.equal(await client.call('add', 2, 3), 5);
    await client.close();
  });

  for (const path of ['/websocket/', '/websocket?app=1', '/websocket/?app=1']) {
    test(`${path} accepts WebSockets`, async () => {
      const client = await RawClient.connect(new WebSocket(`ws://${server().address}${path}`));
      await client.close();
    });
  }

  for (const origin of ['https://example.com', 'ws://localhost:3000', 'null']) {
    test(`the origin ${origin} is accepted`, async () => {
      const client = await connect(server(), { origin });
      await client.close();
    });
  }

  test('GET /websocket without an upgrade is answered 400', async () => {
    assert.equal((await fetch(`${server().http}/websocket`)).status, 400);
  });

  test('another path is answered 404', async () => {
    const socket = new WebSocket(`ws://${server().address}/elsewhere`);
    const [, response] = await once(socket, 'unexpected-response');
    assert.equal(response.statusCode, 404);
    response.destroy();
  });
});

describe('frames', patience, () => {
  const server = serverOfThisGroup();

  test('a binary frame of UTF-8 is read, and answered in text', async () => {
    const socket = new WebSocket(server().websocket);
    const client = await RawClient.connect(socket);
    socket.send(Buffer.from('{"msg":"method","id":"1","method":"echo","params":["ü"]}'), { binary: true });
    const [, isBinary] = await once(socket, 'message');
    assert.equal(isBinary, false);
    assert.deepEqual(await client.next(({ msg }) => msg === 'result'), { msg: 'result', id: '1', result: 'ü' });
    await client.close();
  });

  test('a message in several frames is one message', async () => {
    const socket = new WebSocket(server().websocket);
    const client = await RawClient.connect(socket);
    socket.send('{"msg":"pi', { fin: false });
    socket.send('ng","id":"7"}', { fin: true });
    assert.deepEqual(await client.next(), { msg: 'pong', id: '7' });
    await client.close();
  });

  test('a ping frame is answered by a pong frame', async () => {
    const socket = new WebSocket(server().websocket);
    await once(socket, 'open');
    socket.ping('are you there?');
    const [payload] = await once(socket, 'pong');
    assert.equal(payload.toString(), 'are you there?');
    socket.close();
  });

  test('invalid JSON is answered with an error, and the session continues', async () => {
    const client = await connect(server());
    client.send('{"msg":');
    assert.deepEqual(await client.next(), { msg: 'error', reason: 'Bad request' });
    assert.equal(await client.call('add', 2, 3), 5);
    await client.close();
  });

  test('the keys of an error are in the documented order', async () => {
    const client = await connect(server());
    await assert.rejects(client.call('failWith', 'e', 'r', { d: 1 }));
    const text = client.texts.find((text) => text.includes('error'));
    assert.equal(text, '{"msg":"result","id":"1","error":{"isClientSafe":true,"error":"e","reason":"r","details":{"d":1},"message":"r [e]","errorType":"Meteor.Error"}}');
    await client.close();
  });

  test('a result without an error has no key `error`; without a value, no `result`', async () => {
    const client = await connect(server());
    await client.call('echo', null);
    await client.call('nothing');
    const results = client.messages.filter(({ msg }) => msg === 'result');
    assert.deepEqual(results, [{ msg: 'result', id: '1', result: null }, { msg: 'result', id: '2' }]);
    await client.close();
  });
});

describe('pings', patience, () => {
  const server = serverOfThisGroup('--heartbeat-interval-ms', '100', '--heartbeat-timeout-ms', '500');

  test("a client's ping is answered with its id, or without one", async () => {
    const client = await connect(server());
    const pong = ({ msg }) => msg === 'pong';
    client.send({ msg: 'ping', id: 'mine' });
    assert.deepEqual(await client.next(pong), { msg: 'pong', id: 'mine' });
    client.send({ msg: 'ping' });
    assert.deepEqual(await client.next(pong), { msg: 'pong' });
    await client.close();
  });

  test('a client that answers pings stays', async () => {
    const client = await connect(server());
    for (let i = 0; i < 5; i++) await client.next(({ msg }) => msg === 'ping');
    assert.equal(await client.call('add', 2, 3), 5);
    await client.close();
  });

  test('a client that does not answer is closed', async () => {
    const socket = new WebSocket(server().websocket);
    socket.onopen = () => socket.send('{"msg":"connect","version":"1","support":["1"]}');
    const [code] = await once(socket, 'close');
    assert.equal(code, 1000);
  });
});

describe('close codes', patience, () => {
  const server = serverOfThisGroup();

  test('a connection that a method closes ends with 1000', async () => {
    const client = await connect(server());
    client.send({ msg: 'method', id: '1', method: 'closeConnection', params: [] });
    assert.equal((await client.closed).code, 1000);
  });

  test('an unsupported version is answered `failed`, then closed with 1000', async () => {
    const client = new RawClient(new WebSocket(server().websocket));
    await client.opened();
    client.send({ msg: 'connect', version: '2', support: ['2'] });
    assert.equal((await client.closed).code, 1000);
    assert.deepEqual(client.messages, [{ msg: 'failed', version: '1' }]);
  });

  test('a message that is too long closes with 1009', async () => {
    const client = await connect(server());
    client.send({ msg: 'method', id: '1', method: 'echo', params: ['x'.repeat(2 << 20)] });
    assert.equal((await client.closed).code, 1009);
  });

  test("a client's close is answered with the code that it sent", async () => {
    const socket = new WebSocket(server().websocket);
    await once(socket, 'open');
    socket.close(1002);
    const [code] = await once(socket, 'close');
    assert.equal(code, 1002);
  });

  test('a server that shuts down closes with 1001', async () => {
    const ending = await startServer();
    const client = await connect(ending);
    await ending.stop();
    assert.equal((await client.closed).code, 1001);
  });
});

function serverOfThisGroup(...flags) {
  let server;
  before(async () => (server = await startServer({ flags })));
  after(() => server.stop());
  return () => server;
}
