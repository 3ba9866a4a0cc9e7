// `asteroid`, a Meteor client whose subscriptions are events. It throws on a `ready` or `result` for an id that it doesn't know.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { createClass } from 'asteroid';
import WebSocket from 'ws';
import { keepsPromisesAboutAccounts } from './account-promises.js';
import { keepsPromisesAboutMethods, keepsPromisesAboutPublications, patience, plainJson, until, withClient } from './promises.js';
import { Store } from './store.js';

const Asteroid = createClass();

class Client {
  #store = new Store();

  static async connect(server) {
    const client = new Client();
    client.asteroid = new Asteroid({ endpoint: server.websocket, SocketConstructor: WebSocket, reconnectInterval: 20 });
    client.asteroid.on('disconnected', () => (client.#store = new Store()));
    client.onData((message) => client.#store.take(message));
    await client.next('connected');
    return client;
  }

  call(method, ...params) {
    return this.asteroid.call(method, ...params);
  }

  logIn({ username, password }) {
    return this.asteroid.loginWithPassword({ username, password });
  }

  resume(token) {
    return this.asteroid.login({ resume: token });
  }

  logOut() {
    return this.asteroid.logout();
  }

  async subscribe(name, ...params) {
    const subscription = this.asteroid.subscribe(name, ...params);
    await new Promise((resolve, reject) => subscription.on('ready', resolve).on('error', reject));
    return { id: subscription.id, stop: () => this.#unsubscribe(subscription.id) };
  }

  documents(collection) {
    return this.#store.documents(collection);
  }

  onData(look) {
    for (const event of ['added', 'changed', 'removed']) this.asteroid.ddp.on(event, look);
  }

  /** Resolves to the next event with this name. */
  next(event) {
    return new Promise((resolve) => this.asteroid.once(event, resolve));
  }

  async close() {
    // Otherwise the next client logs in with the stored token.
    if (this.asteroid.loggedIn) await this.logOut();
    this.asteroid.disconnect();
  }

  async #unsubscribe(id) {
    const stopped = new Promise((resolve) => this.asteroid.ddp.on('nosub', (message) => message.id === id && resolve()));
    this.asteroid.unsubscribe(id);
    await stopped;
  }
}

keepsPromisesAboutMethods(Client.connect, plainJson);
keepsPromisesAboutPublications(Client.connect, plainJson);
keepsPromisesAboutAccounts(Client.connect, plainJson);

describe('asteroid', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('it reconnects and subscribes again after the server closes the connection', async (client, { another }) => {
      await client.subscribe('itemsWhere', { room: 'porch' });
      client.call('closeConnection').catch(() => {});
      await client.next('disconnected');
      await (await another()).call('insertItem', { _id: 'chair', room: 'porch' });
      await until(client, () => client.documents('items').chair);
      assert.equal(await client.call('add', 2, 3), 5);
    });
  }),
);
