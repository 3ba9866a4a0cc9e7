// `@rocket.chat/ddp-client`, Rocket.Chat's client: streams, its heartbeat, and the same subscription ids after a reconnect.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { DDPSDK } from '@rocket.chat/ddp-client';
import { TimeoutControl } from '@rocket.chat/ddp-client/dist/TimeoutControl.js';
import WebSocket from 'ws';
import { keepsPromisesAboutAccounts, sha256 } from './account-promises.js';
import { keepsPromisesAboutMethods, keepsPromisesAboutPublications, patience, plainJson, until, withClient } from './promises.js';
import { Store } from './store.js';

globalThis.WebSocket ??= WebSocket; // global in Node.js from version 22

class Client {
  #store = new Store();

  static async connect(server) {
    const client = new Client();
    client.sdk = DDPSDK.create(server.http, { retryCount: 3, retryTime: 20 });
    client.ddp = client.sdk.client.ddp;
    client.ddp.onMessage((message) => client.#take(message));
    await client.sdk.connection.connect();
    return client;
  }

  call(method, ...params) {
    return this.sdk.call(method, ...params);
  }

  async logIn({ username, password }) {
    await this.sdk.account.loginWithPassword(username, await sha256(password));
  }

  resume(token) {
    return this.sdk.account.loginWithToken(token);
  }

  logOut() {
    return this.sdk.account.logout();
  }

  async subscribe(name, ...params) {
    const { id, ...subscription } = this.sdk.client.subscribe(name, ...params);
    await subscription.ready();
    return { id, stop: () => this.sdk.client.unsubscribe(id) };
  }

  documents(collection) {
    return this.#store.documents(collection);
  }

  onData(look) {
    this.ddp.onMessage(look);
  }

  /** Resolves to the next message that matches. */
  next(wanted) {
    return new Promise((resolve) => {
      const stop = this.ddp.onMessage((message) => wanted(message) && (stop(), resolve(message)));
    });
  }

  close() {
    this.sdk.connection.close();
    this.sdk.timeoutControl.stop();
  }

  #take(message) {
    if (message.msg === 'connected') this.#store = new Store();
    if (!message.collection?.startsWith('stream-')) this.#store.take(message);
  }
}

keepsPromisesAboutMethods(Client.connect, plainJson);
keepsPromisesAboutPublications(Client.connect, plainJson);
keepsPromisesAboutAccounts(Client.connect, plainJson);

describe('@rocket.chat/ddp-client', patience, () =>
  withClient(Client.connect, (promise) => {
    promise('a stream delivers only events with its name', async (client, { another }) => {
      const heard = [];
      const stream = client.sdk.stream('room-messages', 'general', (message) => heard.push(message));
      await stream.ready();
      const writer = await another();
      await writer.call('setUserId', 'user-alice');
      await writer.call('sendMessage', { rid: 'elsewhere', msg: 'not for us' });
      const sent = await writer.call('sendMessage', { rid: 'general', msg: 'hello' });
      await until(client, () => heard.length > 0);
      assert.deepEqual(heard, [sent]);
      const { _id, ts, ...rest } = sent;
      assert.equal(typeof _id, 'string');
      assert.equal(typeof ts.$date, 'number');
      assert.deepEqual(rest, { rid: 'general', msg: 'hello', u: { _id: 'user-alice', username: 'alice' } });
    });

    promise('an event arrives as `changed` of the document `id`', async (client, { another }) => {
      const writer = await another();
      await writer.call('setUserId', 'user-alice');
      for (const parameter of [false, { useCollection: false, args: [] }]) {
        const subscription = await client.subscribe('stream-room-messages', 'random', parameter);
        const event = client.next(({ collection }) => collection === 'stream-room-messages');
        const sent = await writer.call('sendMessage', { rid: 'random', msg: 'hi' });
        assert.deepEqual(await event, { msg: 'changed', collection: 'stream-room-messages', id: 'id', fields: { eventName: 'random', args: [sent] } });
        await subscription.stop();
      }
    });

    promise('an event arrives once for two streams with the same name', async (client) => {
      await client.call('setUserId', 'user-alice');
      const events = [];
      client.sdk.client.onCollection('stream-room-messages', (event) => events.push(event));
      await client.subscribe('stream-room-messages', 'twice', false);
      await client.subscribe('stream-room-messages', 'twice', { useCollection: false, args: [] });
      await client.call('sendMessage', { rid: 'twice', msg: 'once' });
      assert.equal(events.length, 1);
    });

    promise('no events arrive after a stream has stopped', async (client) => {
      await client.call('setUserId', 'user-alice');
      const heard = [];
      const stream = client.sdk.stream('room-messages', 'quiet', (message) => heard.push(message.msg));
      await stream.ready();
      await client.call('sendMessage', { rid: 'quiet', msg: 'before' });
      const stopped = client.next(({ msg, id }) => msg === 'nosub' && id === stream.id);
      stream.stop();
      await stopped;
      await client.call('sendMessage', { rid: 'quiet', msg: 'after' });
      assert.deepEqual(heard, ['before']);
    });

    promise('only users can write to a stream', async (client) => {
      await assert.rejects(client.call('sendMessage', { rid: 'general', msg: 'who am I?' }));
    });

    promise('after a reconnect a stream continues under the same id', async (client, { another }) => {
      const heard = [];
      const stream = client.sdk.stream('room-messages', 'lasting', (message) => heard.push(message.msg));
      await stream.ready();
      client.call('closeConnection');
      await client.next(({ msg, subs }) => msg === 'ready' && subs.includes(stream.id));
      const writer = await another();
      await writer.call('setUserId', 'user-alice');
      await writer.call('sendMessage', { rid: 'lasting', msg: 'still here' });
      await until(client, () => heard.length > 0);
      assert.deepEqual(heard, ['still here']);
    });

    promise('its ping without an id is answered in time', async (client) => {
      const control = TimeoutControl.create(client.ddp, client.sdk.connection, 1000, 20);
      control.reset();
      for (let i = 0; i < 3; i++) assert.deepEqual(await client.next(({ msg }) => msg === 'pong'), { msg: 'pong' });
      control.stop();
      assert.equal(client.sdk.connection.status, 'connected');
    });
  }),
);
