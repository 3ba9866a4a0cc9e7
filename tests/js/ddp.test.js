// `ddp`, the oldest DDP client for Node.js, and `ddp-login`. It distinguishes `result` and `updated`, and observes collections.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import DDPClient from 'ddp';
import login from 'ddp-login';
import { keepsPromisesAboutAccounts } from './account-promises.js';
import { keepsPromisesAboutMethods, keepsPromisesAboutPublications, knowsEjson, patience, until, withClient } from './promises.js';

class Client {
  constructor(server, options) {
    const [host, port] = server.address.split(':');
    this.ddp = new DDPClient({ host, port, autoReconnectTimer: 20, ...options });
    this.ddp.setMaxListeners(0);
  }

  static async connect(server, options) {
    const client = new Client(server, options);
    await new Promise((resolve, reject) => client.ddp.connect((error) => (error ? reject(error) : resolve())));
    return client;
  }

  call(method, ...params) {
    return answerOf((done) => this.ddp.call(method, params, done));
  }

  logIn({ username, password }) {
    return answerOf((done) => login.loginWithUsername(this.ddp, username, password, {}, done));
  }

  resume(token) {
    return answerOf((done) => login.loginWithToken(this.ddp, token, done));
  }

  logOut() {
    return this.call('logout');
  }

  async subscribe(name, ...params) {
    let id;
    await answerOf((done) => (id = this.ddp.subscribe(name, params, done)));
    return { id, stop: () => this.#unsubscribe(id) };
  }

  documents(collection) {
    const documents = Object.entries(this.ddp.collections[collection] ?? {});
    return Object.fromEntries(documents.map(([id, { _id, ...fields }]) => [id, fields]));
  }

  onData(look) {
    this.ddp.on('message', look);
  }

  /** Resolves to the next message that matches. */
  next(wanted) {
    return new Promise((resolve) => {
      this.ddp.on('message', (text) => wanted(JSON.parse(text)) && resolve(JSON.parse(text)));
    });
  }

  close() {
    // Otherwise it reconnects if the server has just closed the connection, as it does when a token is removed.
    this.ddp.autoReconnect = false;
    clearTimeout(this.ddp.reconnectTimeout);
    this.ddp.close();
  }

  #unsubscribe(id) {
    const stopped = this.next(({ msg, id: other }) => msg === 'nosub' && other === id);
    this.ddp.unsubscribe(id);
    return stopped;
  }
}

keepsPromisesAboutMethods(Client.connect, knowsEjson);
keepsPromisesAboutPublications(Client.connect, knowsEjson);
keepsPromisesAboutAccounts(Client.connect, knowsEjson);

describe('ddp', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('a call is reported as updated, whether it succeeds or fails', async (client) => {
      const updated = (method, ...params) => new Promise((resolve) => client.ddp.call(method, params, undefined, resolve));
      await updated('add', 2, 3);
      await updated('failInternally');
      await updated('noSuchMethod');
    });

    promise('the documents of a call have arrived when it is updated', async (client) => {
      await client.subscribe('itemsWhere', { room: 'study' });
      const seen = await new Promise((resolve) =>
        client.ddp.call('insertItem', [{ _id: 'desk', room: 'study' }], undefined, () => resolve(client.documents('items').desk)),
      );
      assert.deepEqual(seen, { room: 'study' });
    });

    promise('ids are drawn from the seed that the client sends', async (client) => {
      const ids = () => answerOf((done) => client.ddp.callWithRandomSeed('randomIds', ['/collection/foo', 3], 'abcdef', done));
      assert.deepEqual(await ids(), ['MiH6GZJhksycd6JSe', '7pi7A8ovDsoGACNpc', (await ids())[2]]);
    });

    promise('an observer is told of added, changed and removed documents', async (client) => {
      const heard = [];
      const observer = client.ddp.observe('items');
      observer.added = (id) => heard.push(['added', id]);
      observer.changed = (id, before, cleared, now) => heard.push(['changed', id, before, cleared, now]);
      observer.removed = (id) => heard.push(['removed', id]);
      await client.subscribe('itemsWhere', { room: 'garden' });
      const id = await client.call('insertItem', { room: 'garden', name: 'rose', buds: 1 });
      await client.call('updateItem', id, { set: { name: 'lily' }, unset: ['buds'] });
      await client.call('removeItem', id);
      assert.deepEqual(heard, [['added', id], ['changed', id, { name: 'rose' }, ['buds'], { name: 'lily' }], ['removed', id]]);
    });

    promise('it reconnects after the server closes, and can subscribe again', async (client, { another }) => {
      await client.subscribe('itemsWhere', { room: 'porch' });
      const session = client.ddp.session;
      client.call('closeConnection').catch(() => {}); // fails if the end comes before the result
      await client.next(({ msg }) => msg === 'connected');
      assert.notEqual(client.ddp.session, session);
      await client.subscribe('itemsWhere', { room: 'porch' });
      await (await another()).call('insertItem', { _id: 'bench', room: 'porch' });
      await until(client, () => client.documents('items').bench);
    });

    promise('a client with an older version reconnects with the version it is told', async (_, { server }) => {
      for (const ddpVersion of ['pre2', 'pre1']) {
        const client = new Client(server, { ddpVersion, autoReconnect: false });
        const connected = new Promise((resolve) => client.ddp.on('connected', resolve));
        client.ddp.connect();
        await connected;
        assert.equal(client.ddp.ddpVersion, '1');
        assert.equal(await client.call('add', 2, 3), 5);
        client.close();
      }
    });

    promise('with `useSockJs` it requests /sockjs/info first and connects', async (_, { server }) => {
      const client = await Client.connect(server, { useSockJs: true });
      assert.equal(await client.call('add', 2, 3), 5);
      client.close();
    });
  }),
);

/** Converts a callback `(error, result)` to a promise. */
function answerOf(ask) {
  return new Promise((resolve, reject) => ask((error, result) => (error ? reject(error) : resolve(result))));
}
