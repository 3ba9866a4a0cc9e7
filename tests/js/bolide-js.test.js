// `bolide.js`, the client that Bolide serves to web pages: the promises, its documents, and how it keeps a session over lost
// connections.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { DdpError } from '../../src/web/bolide.js';
import { Client, withFake } from './bolide-js.js';
import { keepsPromisesAboutAccounts } from './account-promises.js';
import { failure, keepsPromisesAboutMethods, keepsPromisesAboutPublications, knowsEjson, patience, until, withClient } from './promises.js';
import { startServer } from './server.js';

keepsPromisesAboutMethods(Client.connect, knowsEjson);
keepsPromisesAboutPublications(Client.connect, knowsEjson);
keepsPromisesAboutAccounts(Client.connect, knowsEjson);

describe('documents', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('change listeners get the document before and after the change', async (client) => {
      await client.subscribe('itemsWhere', { room: 'cellar' });
      const changes = [];
      const stop = client.ddp.collection('items').onChange((change) => changes.push(change));
      const _id = await client.call('insertItem', { room: 'cellar', bottles: 2, dust: true });
      await client.call('updateItem', _id, { set: { bottles: 1 }, unset: ['dust'] });
      await client.call('removeItem', _id);
      stop();
      await client.call('insertItem', { room: 'cellar' });
      const [full, one] = [{ _id, room: 'cellar', bottles: 2, dust: true }, { _id, room: 'cellar', bottles: 1 }];
      assert.deepEqual(changes, [
        { type: 'added', id: _id, document: full, previous: undefined },
        { type: 'changed', id: _id, document: one, previous: full },
        { type: 'removed', id: _id, previous: one },
      ]);
    });

    promise('a document is found by an id of any type', async (client) => {
      await client.subscribe('script', [['added', 'rows', 12, { n: 1 }], ['added', 'rows', '12', { n: 2 }], ['added', 'rows', '-x', { n: 3 }], ['ready']]);
      const rows = client.ddp.collection('rows');
      assert.deepEqual([12, '12', '-x'].map((id) => rows.get(id)), [{ _id: 12, n: 1 }, { _id: '12', n: 2 }, { _id: '-x', n: 3 }]);
      assert.equal(rows.size, 3);
    });

    promise("a stream's events are reported and not stored", async (client) => {
      await client.call('setUserId', 'user-alice');
      const texts = [];
      const messages = client.ddp.collection('stream-room-messages');
      messages.onChange(({ document }) => texts.push(document.args[0].msg));
      await client.subscribe('stream-room-messages', 'hall', false);
      for (const msg of ['first', 'second']) await client.call('sendMessage', { rid: 'hall', msg });
      assert.deepEqual(texts, ['first', 'second']);
      assert.equal(messages.size, 0);
    });

    promise('a subscription that the server ends reports the reason', async (client) => {
      const subscription = await client.subscribe('script', [['ready'], ['sleep', 20], ['error', 'too-late', 'We close now']]);
      assert.deepEqual(await subscription.ended, new DdpError({ error: 'too-late', reason: 'We close now', isClientSafe: true, errorType: 'Meteor.Error' }));
    });
  }),
);

describe('a connection that was lost', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('resumes the same session', async (client) => {
      const { id } = await client.call('connectionInfo');
      for (let time = 0; time < 3; time += 1) {
        const back = client.cameBack();
        client.tear();
        await back;
        assert.equal((await client.call('connectionInfo')).id, id);
      }
    });

    promise('keeps pending calls, which run once', async (client) => {
      await client.subscribe('itemsWhere', { room: 'attic' });
      const slow = client.call('sleep', 100);
      const insert = client.call('insertItem', { room: 'attic' });
      await client.hasArrived();
      client.tear();
      assert.equal(await slow, 100);
      await insert;
      assert.equal(client.ddp.collection('items').size, 1);
    });

    promise('sends lost messages again', async (client) => {
      client.socket.send = () => client.tear();
      assert.equal(await client.call('add', 2, 3), 5);
    });

    promise('sends a lost subscription and its end again', async (client) => {
      client.socket.send = () => client.tear();
      const subscription = await client.subscribe('tick', 2);
      assert.equal(client.ddp.collection('ticks').size, 2);
      client.socket.send = () => client.tear();
      await subscription.stop();
      assert.equal(client.ddp.collection('ticks').size, 0);
    });

    promise('receives the changes made meanwhile', async (client, { another }) => {
      await client.subscribe('itemsWhere', { room: 'yard' });
      const writer = await another();
      client.tear();
      await writer.call('insertItem', { _id: 'bench', room: 'yard' });
      await until(client, () => client.documents('items').bench);
    });

    promise('delays calls that were not sent yet', async (client) => {
      const lost = until(client, () => client.ddp.status === 'waiting');
      client.tear();
      await lost;
      assert.equal(await client.call('add', 2, 3), 5);
    });
  }),
);

describe('a session that was lost', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('fails pending calls, because they may have run', async (client) => {
      const slow = failure(client.call('sleepUnblocked', 500));
      await client.call('closeConnection');
      assert.equal((await slow).error, 'connection-lost');
      assert.equal(await client.call('add', 2, 3), 5);
    });

    promise('subscribes again and reports only the differences', async (client, { another }) => {
      const writer = await another();
      for (const _id of ['stays', 'goes', 'turns']) await writer.call('insertItem', { _id, room: 'roof', n: 1 });
      await client.subscribe('itemsWhere', { room: 'roof' });
      const changes = [];
      client.ddp.collection('items').onChange(({ type, id }) => changes.push(`${type} ${id}`));
      client.onData(() => client.documents('items'));

      const address = client.socket;
      client.socket.send = () => {}; // the server does not receive the next calls
      client.socket.onmessage = null;
      client.call('closeConnection').catch(() => {});
      await writer.call('removeItem', 'goes');
      await writer.call('updateItem', 'turns', { set: { n: 2 } });
      await writer.call('insertItem', { _id: 'comes', room: 'roof' });
      address.terminate();
      await until(client, () => client.documents('items').comes);
      assert.deepEqual(changes, ['removed goes', 'added comes', 'changed turns']);
    });

    promise('reconnects to a restarted server', async (_, { connectTo, started }) => {
      const first = await startServer();
      const client = await connectTo(first);
      await client.subscribe('tick', 1);
      const gone = until(client, () => client.ddp.status === 'waiting');
      await first.stop();
      await gone;
      await started({ address: first.address });
      await until(client, () => client.ddp.status === 'connected');
      assert.equal(await client.call('add', 2, 3), 5);
      assert.equal(client.ddp.collection('ticks').size, 1);
    });
  }),
);

describe('closing', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('fails pending and later calls and subscriptions', async (client) => {
      const subscription = await client.subscribe('tick', 1);
      const slow = failure(client.call('sleep', 500));
      client.close();
      assert.equal((await slow).error, 'connection-closed');
      assert.equal((await subscription.ended).error, 'connection-closed');
      assert.equal((await failure(client.call('add', 2, 3))).error, 'connection-closed');
      assert.equal((await failure(client.subscribe('tick', 1))).error, 'connection-closed');
    });

    promise('ends the session, and allows a new connection', async (client) => {
      const { id } = await client.call('connectionInfo');
      client.close();
      await client.ddp.connect();
      assert.notEqual((await client.call('connectionInfo')).id, id);
    });

    promise('a client with `reconnect: false` closes when the connection is lost', async (_, { server }) => {
      const client = new Client(server.websocket, { reconnect: false });
      await client.ddp.connect();
      const call = failure(client.call('sleep', 500));
      client.tear();
      assert.equal((await call).error, 'connection-lost');
      assert.equal(client.ddp.status, 'closed');
    });
  }),
);

describe('versions and heartbeats', patience, () => {
  withFake('after a rejected version, the client uses the one that the server names', async (fake, client) => {
    fake.speaks('pre1');
    await client.ddp.connect();
    assert.deepEqual(fake.connects.map(({ version }) => version), ['1', 'pre1']);
  });

  withFake('an unsupported version closes the client', async (fake, client) => {
    fake.speaks('7');
    const error = await failure(client.ddp.connect());
    assert.equal(error.error, 'unsupported-version');
    assert.equal(client.ddp.status, 'closed');
  });

  withFake('pings are answered with their id', async (fake, client) => {
    await client.ddp.connect();
    fake.send({ msg: 'ping', id: 'p1' });
    assert.deepEqual(await fake.next('pong'), { msg: 'pong', id: 'p1' });
  });

  const impatient = { heartbeatInterval: 20, heartbeatTimeout: 20 };
  withFake('a server that answers pings stays connected', impatient, async (fake, client) => {
    await client.ddp.connect();
    for (let time = 0; time < 3; time += 1) await fake.next('ping');
    assert.equal(client.sockets.length, 1);
  });

  withFake('a silent server is replaced with a new connection', impatient, async (fake, client) => {
    await client.ddp.connect();
    fake.isSilent = true;
    const back = client.cameBack();
    await until(client, () => client.ddp.status === 'waiting');
    fake.isSilent = false;
    await back;
  });
});
