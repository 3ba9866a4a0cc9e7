// The connection of bolide.js: connecting, version negotiation, heartbeats and session resumption.

import { connectionClosed, connectionLost, DdpError } from './error.js';

const VERSIONS = ['1', 'pre2', 'pre1'];

const DEFAULTS = {
  reconnect: true,
  shortestDelay: 200,
  longestDelay: 30_000,
  connectTimeout: 10_000,
  heartbeatInterval: 17_500,
  heartbeatTimeout: 15_000,
};

/** Keeps a DDP session over successive WebSockets. Reports sessions and messages to its owner. */
export class Connection {
  #url;
  #options;
  #owner;
  #socket = null;
  #timer;
  #version = VERSIONS[0];
  #refusedVersions = new Set();
  #session;
  #receivedCount = 0;
  #attempts = 0;
  #hasHeard = false;
  #hasPinged = false;
  status = 'offline';
  /** Whether the server has answered `connected`. */
  isOpen = false;

  constructor(url, options, owner) {
    this.#url = url;
    this.#options = { ...DEFAULTS, WebSocket: globalThis.WebSocket, ...options };
    this.#owner = owner;
    if (!this.#options.WebSocket) throw new TypeError('There is no global WebSocket; pass a constructor as the option `WebSocket`');
  }

  open() {
    if (this.status === 'offline' || this.status === 'closed') this.#dial();
  }

  hurry() {
    if (this.status === 'waiting') this.#dial();
  }

  /** The session works, so the delay starts over at the next loss. */
  settle() {
    this.#attempts = 0;
    this.#setStatus('connected');
  }

  send(frame) {
    this.#socket.send(frame);
  }

  close() {
    if (this.isOpen) this.send('{"msg":"disconnect"}');
    this.#end(connectionClosed());
  }

  /** Abandons the session. The next connection starts a new one. */
  startOver() {
    if (this.status === 'closed') return;
    this.#session = undefined;
    this.#lose();
  }

  #dial() {
    clearTimeout(this.#timer);
    this.#setStatus('connecting');
    const socket = new this.#options.WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => socket === this.#socket && this.#greet();
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = () => socket === this.#socket && this.#lose();
    socket.onerror = () => {}; // `onclose` follows
    this.#timer = setTimeout(() => this.#lose(), this.#options.connectTimeout);
  }

  #greet() {
    const resumption = this.#session && { session: this.#session, receivedCount: this.#receivedCount };
    this.send(JSON.stringify({ msg: 'connect', version: this.#version, support: VERSIONS, ...resumption }));
  }

  #receive(text) {
    const message = parse(text);
    this.#hasHeard = true;
    if (message.msg === 'ping') return this.send(JSON.stringify({ msg: 'pong', id: message.id }));
    if (message.msg === 'pong') return;
    if (!this.isOpen) return this.#negotiate(message);
    this.#receivedCount += 1;
    this.#owner.received(message);
  }

  /** Handles the two messages before a session. Others, such as the greeting of older servers, are ignored. */
  #negotiate({ msg, session, version }) {
    if (msg === 'connected') this.#enter(session);
    if (msg === 'failed') this.#dialWith(version);
  }

  #enter(session) {
    const isResumed = session === this.#session;
    this.#session = session;
    this.#receivedCount = isResumed ? this.#receivedCount + 1 : 1;
    this.isOpen = true;
    clearTimeout(this.#timer);
    if (this.#version !== 'pre1' && this.#options.heartbeatInterval) this.#startHeartbeat();
    this.#owner.opened(isResumed);
  }

  #dialWith(version) {
    this.#refusedVersions.add(this.#version);
    if (!VERSIONS.includes(version) || this.#refusedVersions.has(version)) {
      return this.#end(new DdpError({ error: 'unsupported-version', reason: `The server speaks DDP ${version}, this client ${VERSIONS.join(', ')}` }));
    }
    this.#version = version;
    this.#hangUp();
    this.#dial();
  }

  /** Sends a ping after `heartbeatInterval` of silence. Without an answer in `heartbeatTimeout`, the connection counts as lost. */
  #startHeartbeat() {
    const { heartbeatInterval, heartbeatTimeout } = this.#options;
    this.#hasHeard = true;
    this.#hasPinged = false;
    const beat = () => {
      if (!this.#hasHeard && this.#hasPinged) return this.#lose();
      this.#hasPinged = !this.#hasHeard;
      this.#hasHeard = false;
      if (this.#hasPinged) this.send('{"msg":"ping"}');
      this.#timer = setTimeout(beat, this.#hasPinged ? heartbeatTimeout : heartbeatInterval);
    };
    beat();
  }

  #lose() {
    this.#hangUp();
    if (!this.#options.reconnect) return this.#end(connectionLost());
    this.#setStatus('waiting');
    this.#timer = setTimeout(() => this.#dial(), this.#delay());
  }

  /** Returns a delay that doubles with each attempt, randomised so that clients do not reconnect all at once. */
  #delay() {
    const { shortestDelay, longestDelay } = this.#options;
    const delay = Math.min(longestDelay, shortestDelay * 2 ** this.#attempts);
    this.#attempts += 1;
    return delay * (0.5 + Math.random() / 2);
  }

  #end(error) {
    this.#hangUp();
    this.#session = undefined;
    this.#refusedVersions.clear();
    this.#setStatus('closed');
    this.#owner.ended(error);
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.isOpen = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  #setStatus(status) {
    if (this.status === status) return;
    this.status = status;
    this.#owner.changed(status);
  }
}

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
