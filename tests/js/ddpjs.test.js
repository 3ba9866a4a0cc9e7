// `ddp.js`, a minimal client on which others are built: it passes each message on, counts ids from "0", and stores no documents.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import DDP from 'ddp.js';
import WebSocket from 'ws';
import { keepsPromisesAboutMethods, keepsPromisesAboutPublications, patience, plainJson, withClient } from './promises.js';
import { Store } from './store.js';

class Client {
  #store = new Store();

  static async connect(server) {
    const client = new Client();
    client.ddp = new DDP.default({ endpoint: server.websocket, SocketConstructor: WebSocket, reconnectInterval: 20 });
    client.onData((message) => client.#store.take(message));
    await client.next('connected');
    return client;
  }

  async call(method, ...params) {
    const id = this.ddp.method(method, params);
    const { error, result } = await this.next('result', (message) => message.id === id);
    if (error) throw error;
    return result;
  }

  async subscribe(name, ...params) {
    const id = this.ddp.sub(name, params);
    const ready = this.next('ready', ({ subs }) => subs.includes(id));
    const refused = this.next('nosub', (message) => message.id === id);
    const { error } = await Promise.race([ready, refused]);
    if (error) throw error;
    return { id, stop: () => this.#unsubscribe(id) };
  }

  documents(collection) {
    return this.#store.documents(collection);
  }

  onData(look) {
    for (const event of ['added', 'changed', 'removed']) this.ddp.on(event, look);
  }

  /** Resolves to the next event with this name that matches. */
  next(event, wanted = () => true) {
    return new Promise((resolve) => {
      const look = (message) => {
        if (!wanted(message)) return;
        this.ddp.off(event, look);
        resolve(message);
      };
      this.ddp.on(event, look);
    });
  }

  close() {
    this.ddp.disconnect();
  }

  #unsubscribe(id) {
    this.ddp.unsub(id);
    return this.next('nosub', (message) => message.id === id);
  }
}

keepsPromisesAboutMethods(Client.connect, plainJson);
keepsPromisesAboutPublications(Client.connect, plainJson);

describe('ddp.js', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('every call is reported as updated, whether it succeeds or fails', async (client) => {
      for (const method of ['nothing', 'failInternally', 'noSuchMethod']) {
        const updated = client.next('updated');
        const id = client.ddp.method(method, []);
        assert.deepEqual(await updated, { msg: 'updated', methods: [id] });
      }
    });

    promise('a method call and a subscription can have the same id', async (client) => {
      const id = client.ddp.method('sleep', [10]);
      client.ddp.sub('tick', [1], id);
      const [{ result }, { subs }] = await Promise.all([client.next('result'), client.next('ready')]);
      assert.equal(result, 10);
      assert.deepEqual(subs, [id]);
    });

    promise('it reconnects after the server closes, and queued requests are answered', async (client) => {
      client.ddp.method('closeConnection', []);
      await client.next('disconnected');
      assert.equal(await client.call('add', 2, 3), 5);
    });
  }),
);
