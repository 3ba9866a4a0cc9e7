// `sockjs-client`, which Meteor's browser client uses, forced onto each transport.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import SockJS from 'sockjs-client';
import { keepsPromisesAboutMethods, keepsPromisesAboutPublications, patience, plainJson, withClient } from './promises.js';
import { RawClient } from './raw.js';

for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling']) {
  const open = (server) => new SockJS(`${server.http}/sockjs`, null, { transports: transport });
  const connect = (server) => RawClient.connect(open(server));

  describe(`SockJS over ${transport}`, () => {
    keepsPromisesAboutMethods(connect, plainJson);
    keepsPromisesAboutPublications(connect, plainJson);

    describe('the transport', patience, () =>
      withClient(connect, (promise) => {
        promise('it is the requested transport', async (client) => {
          assert.equal(client.socket.transport, transport);
        });

        promise('messages that the server sends unasked arrive', async (client, { another }) => {
          await client.subscribe('feed');
          const writer = await another();
          for (let i = 0; i < 20; i++) {
            const change = client.next(({ msg }) => msg === 'changed');
            await writer.call('broadcast', i);
            assert.deepEqual((await change).fields, { p: i });
          }
        });

        promise('half a megabyte arrives in order', async (client) => {
          const parts = Array.from({ length: 50 }, (_, i) => `${i}`.padEnd(10_000, '.'));
          const results = Promise.all(parts.map((part) => client.call('echo', part)));
          assert.deepEqual(await results, parts);
          assert.deepEqual(client.messages.filter(({ msg }) => msg === 'result').map(({ result }) => result), parts);
        });

        promise('a connection that a method closes ends with 1000', async (client) => {
          client.send({ msg: 'method', id: 'last', method: 'closeConnection', params: [] });
          assert.equal((await client.closed).code, 1000);
        });

        promise('an unsupported version is answered `failed`, then closed', async (_, { server }) => {
          const client = new RawClient(open(server));
          await client.opened();
          client.send({ msg: 'connect', version: '2', support: ['2'] });
          assert.equal((await client.closed).code, 1000);
          assert.deepEqual(client.messages, [{ msg: 'failed', version: '1' }]);
        });
      }),
    );
  });
}
