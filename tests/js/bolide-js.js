// `bolide.js` for tests: over sockets that can be cut, with documents as `promises.js` expects them.

import { once } from 'node:events';
import { test } from 'node:test';
import WebSocket from 'ws';
import { DdpClient } from '../../src/web/bolide.js';
import { FakeServer } from './fake-server.js';
import { patience, until } from './promises.js';

const quick = { WebSocket, shortestDelay: 10, longestDelay: 50 };

export class Client {
  sockets = [];
  #listeners = new Set();
  #heard = new Set();

  constructor(address, options = {}) {
    const { sockets } = this;
    const TearableSocket = class extends WebSocket {
      constructor(url) {
        super(url);
        sockets.push(this);
      }
    };
    this.ddp = new DdpClient(address, { ...quick, WebSocket: TearableSocket, ...options });
    this.ddp.on('status', () => this.#look());
    this.ddp.on('login', () => this.#look());
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
    return this.ddp.loginWithPassword({ user: username, password });
  }

  resume(token) {
    return this.ddp.loginWithToken(token);
  }

  logOut() {
    return this.ddp.logout();
  }

  async subscribe(name, ...params) {
    const subscription = this.ddp.subscribe(name, ...params);
    await subscription.ready;
    return subscription;
  }

  documents(name) {
    this.#hear(name);
    return Object.fromEntries(this.ddp.collection(name).all().map(({ _id, ...fields }) => [_id, fields]));
  }

  onData(look) {
    this.#listeners.add(look);
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Cuts the socket as a broken network does. */
  tear() {
    this.socket.terminate();
  }

  /** Resolves when the server has read everything that was sent. */
  hasArrived() {
    this.socket.ping();
    return once(this.socket, 'pong');
  }

  /** Resolves when the client is connected over another socket. */
  async cameBack() {
    const before = this.socket;
    await until(this, () => this.socket !== before && this.ddp.status === 'connected');
  }

  close() {
    this.ddp.close();
  }

  #hear(name) {
    if (this.#heard.has(name)) return;
    this.#heard.add(name);
    this.ddp.collection(name).onChange(() => this.#look());
  }

  #look() {
    for (const look of this.#listeners) look();
  }
}

/** A test with a fake server that the test controls, and a client that is not connected yet. */
export function withFake(name, ...rest) {
  const check = rest.pop();
  test(name, patience, async (context) => {
    const fake = await FakeServer.start();
    const client = new Client(fake.address, rest[0]);
    context.after(() => (client.close(), fake.stop()));
    await check(fake, client);
  });
}
