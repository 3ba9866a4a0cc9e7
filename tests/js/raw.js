// A minimal DDP client over anything with `send` and `onmessage`: a WebSocket or a SockJS connection.
// It exposes every message as the server sent it.

import { once, EventEmitter } from 'node:events';
import { Store } from './store.js';

export class RawClient extends EventEmitter {
  #ids = 0;
  #read = 0;
  #store = new Store();
  /** The underlying connection. */
  socket;
  /** All messages so far, as text and parsed. */
  texts = [];
  messages = [];
  /** The close event, once the connection has ended. */
  closed;

  constructor(socket) {
    super();
    this.setMaxListeners(0);
    this.socket = socket;
    this.closed = new Promise((resolve) => (socket.onclose = resolve));
    socket.onmessage = ({ data }) => this.#receive(data);
  }

  /** Opens a session, or fails with the message that arrived instead. */
  static async connect(socket) {
    const client = new RawClient(socket);
    await client.opened();
    client.send({ msg: 'connect', version: '1', support: ['1', 'pre2', 'pre1'] });
    const { msg, session } = await client.next();
    if (msg !== 'connected') throw new Error(`${msg} came in place of connected`);
    return Object.assign(client, { session });
  }

  opened() {
    return new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = reject;
      this.closed.then(({ code }) => reject(new Error(`closed with ${code} before it was open`)));
    });
  }

  send(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Resolves to the next unread message that matches, skipping others. */
  async next(wanted = () => true) {
    for (;;) {
      while (this.#read < this.messages.length) {
        const message = this.messages[this.#read++];
        if (wanted(message)) return message;
      }
      await once(this, 'message');
    }
  }

  async call(method, ...params) {
    const id = this.#newId();
    this.send({ msg: 'method', id, method, params });
    const { error, result } = await this.#answer((answer) => answer.msg === 'result' && answer.id === id);
    if (error) throw error;
    return result;
  }

  async subscribe(name, ...params) {
    const id = this.#newId();
    this.send({ msg: 'sub', id, name, params });
    const { error } = await this.#answer((answer) => (answer.msg === 'ready' && answer.subs.includes(id)) || isNosub(answer, id));
    if (error) throw error;
    return { id, stop: () => this.#unsubscribe(id) };
  }

  documents(collection) {
    return this.#store.documents(collection);
  }

  onData(look) {
    this.on('message', look);
  }

  close() {
    this.socket.close();
    return this.closed;
  }

  async #unsubscribe(id) {
    this.send({ msg: 'unsub', id });
    await this.#answer((answer) => isNosub(answer, id));
  }

  /** Resolves to the answer, even if other messages are read meanwhile. */
  #answer(isAnswer) {
    return new Promise((resolve) => {
      const look = (message) => {
        if (!isAnswer(message)) return;
        this.off('message', look);
        resolve(message);
      };
      this.on('message', look);
    });
  }

  #newId() {
    return `${++this.#ids}`;
  }

  #receive(text) {
    const message = JSON.parse(text);
    this.texts.push(text);
    this.messages.push(message);
    if (message.msg === 'ping') this.send({ msg: 'pong' });
    this.#store.take(message);
    this.emit('message', message);
  }
}

function isNosub({ msg, id }, wanted) {
  return msg === 'nosub' && id === wanted;
}
