// A fake DDP server that a test controls. It keeps sessions: the next socket resumes the session.

import { EventEmitter, once } from 'node:events';
import { WebSocketServer } from 'ws';

export class FakeServer {
  /** All messages from clients. */
  messages = [];
  /** Whether it does not answer. */
  isSilent = false;
  #server;
  #socket;
  #version = '1';
  #session = 1;
  #userId = null;
  #arrivals = new EventEmitter();
  #methods = new Map([
    ['login', () => this.#login()],
    ['logout', () => ((this.#userId = null), {})],
    ['whoami', () => ({ result: this.#userId })],
  ]);

  static async start() {
    const fake = new FakeServer();
    fake.#server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    fake.#server.on('connection', (socket) => fake.#welcome(socket));
    await once(fake.#server, 'listening');
    fake.address = `ws://127.0.0.1:${fake.#server.address().port}`;
    return fake;
  }

  /** Sets the function that returns the `{ result }` or `{ error }` of a method. Returns the previous function. */
  on(method, answer) {
    const before = this.#methods.get(method);
    this.#methods.set(method, answer);
    return before;
  }

  speaks(version) {
    this.#version = version;
  }

  get connects() {
    return this.messages.filter(({ msg }) => msg === 'connect');
  }

  /** Returns the parameters of all calls of a method. */
  paramsOf(method) {
    return this.messages.filter((message) => message.method === method).map(({ params }) => params);
  }

  /** Resolves to the next message of this kind. */
  async next(msg) {
    const [message] = await once(this.#arrivals, msg);
    return message;
  }

  send(message) {
    if (!this.isSilent) this.#socket.send(JSON.stringify(message));
  }

  hangUp() {
    this.#socket.close();
  }

  /** Makes the next connection start a new session. */
  forgetSessions() {
    this.#session += 1;
    this.#userId = null;
  }

  stop() {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }

  #welcome(socket) {
    this.#socket = socket;
    socket.on('message', (text) => this.#take(JSON.parse(text)));
  }

  #take(message) {
    this.messages.push(message);
    const { msg, id, method, params } = message;
    if (msg === 'connect') this.#greet(message);
    if (msg === 'ping') this.send({ msg: 'pong', id });
    if (msg === 'sub') this.send({ msg: 'ready', subs: [id] });
    if (msg === 'method') this.#answer(id, this.#methods.get(method)(...params));
    this.#arrivals.emit(msg, message);
  }

  #greet({ version }) {
    if (version === this.#version) return this.send({ msg: 'connected', session: `session-${this.#session}` });
    this.send({ msg: 'failed', version: this.#version });
    this.#socket.close();
  }

  #answer(id, outcome) {
    this.send({ msg: 'result', id, ...outcome });
    this.send({ msg: 'updated', methods: [id] });
  }

  #login() {
    this.#userId = 'user-alice';
    const logins = this.paramsOf('login').length;
    return { result: { id: this.#userId, token: `token-${logins}`, tokenExpires: { $date: 1_900_000_000_000 }, type: 'password' } };
  }
}
