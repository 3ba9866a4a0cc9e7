// `simpleddp`, which many Meteor apps outside browsers use. It stores documents, and subscribes again by itself.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import SimpleDDP from 'simpleddp';
import { ddpSubscription } from 'simpleddp/lib/classes/ddpSubscription.js';
import { simpleDDPLogin } from 'simpleddp-plugin-login';
import WebSocket from 'ws';
import { keepsPromisesAboutAccounts } from './account-promises.js';
import { keepsPromisesAboutMethods, keepsPromisesAboutPublications, knowsEjson, patience, until, withClient } from './promises.js';
import { startServer } from './server.js';

// The library drops the promise that `start` passes to its constructor, so a rejected subscription is an unhandled rejection.
const { start } = ddpSubscription.prototype;
ddpSubscription.prototype.start = function (args) {
  const ready = start.call(this, args);
  ready.catch(() => {});
  return ready;
};

class Client {
  constructor(endpoint) {
    this.ddp = new SimpleDDP({ endpoint, SocketConstructor: WebSocket, reconnectInterval: 20 }, [simpleDDPLogin]);
  }

  static async connect(server) {
    const client = new Client(server.websocket);
    await client.ddp.connect();
    return client;
  }

  call(method, ...params) {
    return this.ddp.call(method, ...params);
  }

  logIn({ username, password }) {
    return this.ddp.login({ user: { username }, password });
  }

  resume(token) {
    return this.ddp.login({ resume: token });
  }

  logOut() {
    return this.ddp.logout();
  }

  async subscribe(name, ...params) {
    const subscription = this.ddp.subscribe(name, ...params);
    await subscription.ready();
    return subscription;
  }

  documents(collection) {
    const documents = this.ddp.collection(collection).fetch();
    return Object.fromEntries(documents.map(({ id, ...fields }) => [id, fields]));
  }

  onData(look) {
    for (const event of ['added', 'changed', 'removed']) this.ddp.on(event, look);
  }

  /** Resolves to the next event with this name. */
  next(event) {
    return new Promise((resolve) => {
      const listener = this.ddp.on(event, (message) => (listener.stop(), resolve(message)));
    });
  }

  close() {
    return this.ddp.disconnect();
  }
}

keepsPromisesAboutMethods(Client.connect, knowsEjson);
keepsPromisesAboutPublications(Client.connect, knowsEjson);
keepsPromisesAboutAccounts(Client.connect, knowsEjson);

describe('simpleddp', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('it is told which fields of a document changed', async (client) => {
      await client.subscribe('itemsWhere', { room: 'cellar' });
      const id = await client.call('insertItem', { room: 'cellar', bottles: 2, dust: true });
      const changes = [];
      client.ddp.collection('items').onChange(({ changed }) => changes.push(changed));
      await client.call('updateItem', id, { set: { bottles: 1 }, unset: ['dust'] });
      assert.deepEqual(changes, [
        {
          prev: { id, room: 'cellar', bottles: 2, dust: true },
          next: { id, room: 'cellar', bottles: 1 },
          fields: { bottles: 1, dust: 0 },
          fieldsChanged: { bottles: 1 },
          fieldsRemoved: ['dust'],
        },
      ]);
    });

    promise('it reconnects and subscribes again after the server closes the connection', async (client, { another }) => {
      await client.subscribe('itemsWhere', { room: 'porch' });
      client.call('closeConnection');
      await client.next('disconnected');
      await (await another()).call('insertItem', { _id: 'swing', room: 'porch' });
      await until(client, () => client.documents('items').swing);
      assert.equal(await client.call('add', 2, 3), 5);
    });

    promise('it reconnects to a restarted server', async (_, { connectTo, started }) => {
      const first = await startServer();
      const client = await connectTo(first);
      await client.subscribe('tick', 1);
      const gone = client.next('disconnected');
      await first.stop();
      await gone;
      await started({ address: first.address });
      await client.next('connected');
      await client.next('ready');
      assert.deepEqual(Object.keys(client.documents('ticks')), ['doc0']);
    });
  }),
);
