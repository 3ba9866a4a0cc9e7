// bolide.js: a client for DDP servers (Bolide, Meteor, Rocket.Chat) that handles prompts for a second factor.
// ES modules without dependencies, for browsers and Node.js. Types: `bolide.d.ts`. Internal modules: `bolide/`.

import { Connection } from './bolide/connection.js';
import { Store } from './bolide/documents.js';
import { EJSON } from './bolide/ejson.js';
import { connectionClosed, connectionLost, DdpError } from './bolide/error.js';
import { listen, notify } from './bolide/listeners.js';
import { canUsePasskeys, createPasskey, showPasskey } from './bolide/passkeys.js';
import { passwordDigest, sha256 } from './bolide/sha256.js';
import { TwoFactorWrapper, typedCode } from './bolide/two-factor.js';

export { Collection } from './bolide/documents.js';
export { CustomValue } from './bolide/ejson.js';
export { canUsePasskeys, DdpError, EJSON, passwordDigest, sha256, showPasskey, typedCode };

/**
 * A client of one server. It manages the connection, the login, subscriptions and their documents.
 *
 *     const client = new DdpClient('wss://example.com/websocket');
 *     client.onTwoFactor(({ method }) => prompt(`Your code (${method})`));
 *     await client.connect();
 *     await client.loginWithPassword({ user: 'alice', password: 'correct horse' });
 *     await client.call('transferFunds', { to: 'bob', amount: 5 });
 */
export class DdpClient {
  #connection;
  #listeners = { status: new Set(), login: new Set(), error: new Set() };
  #twoFactor = new TwoFactorWrapper();
  #login = null;
  /** The renewal of the login on a new session. Other requests wait for it. */
  #renewal = null;
  /** Requests that the server has not answered, in the order in which they were made. */
  #requests = new Map();
  #subscriptions = new Map();
  #store = new Store();
  /** Subscriptions of the previous session that are not ready yet on the current one. */
  #awaited = new Set();
  #onceWhole = [];
  #connecting = null;
  #ids = 0;

  constructor(url = serverOfThisModule(), options = {}) {
    this.#connection = new Connection(url, options, {
      opened: (isResumed) => this.#opened(isResumed),
      received: (message) => this.#received(message),
      ended: (error) => this.#ended(error),
      changed: (status) => this.#emit('status', status),
    });
  }

  /** 'offline', 'connecting', 'connected', 'waiting' for the next attempt, or 'closed'. */
  get status() {
    return this.#connection.status;
  }

  /** The id of the logged-in user, or null. */
  get userId() {
    return this.#login?.userId ?? null;
  }

  /** Listens to 'status', 'login' or 'error' (errors that the server reports, and malformed messages). Returns a function that removes the listener. */
  on(event, listener) {
    return listen(this.#listeners[event], listener);
  }

  // Connecting.

  /** Connects and stays connected until `close`. Resolves when the client is first connected; rejects if it never can be. */
  connect() {
    this.#connecting ??= deferred();
    if (this.status === 'connected') this.#connecting.resolve();
    this.#connection.open();
    return this.#connecting.promise;
  }

  /** Reconnects at once if the client is waiting for the next attempt, for example because the network is back. */
  reconnectNow() {
    this.#connection.hurry();
  }

  /** Ends the session. Pending calls fail with `connection-closed`. */
  close() {
    this.#connection.close();
  }

  // Calling methods.

  /** Calls a method. If it needs a second factor, asks for a code and calls again. Rejects with a `DdpError`. */
  call(method, ...params) {
    return this.#twoFactor.around({ method, params }, (answer) => this.#request(method, answer ? [...params, answer] : params));
  }

  /**
   * Sets the function that is asked for a second factor: `ask({ method, details, error, attempt, call })` returns the code, or a
   * promise of it; null or undefined cancels. For the method 'password' it returns the password, which is sent as a digest; for
   * a passkey, `{ webauthn: await showPasskey(details.webauthn) }`.
   *
   * Where the page can, users who have a passkey are asked for it first, and `ask` only if they decline. `passkeys: false`
   * leaves passkeys to `ask`.
   */
  onTwoFactor(ask, { passkeys = true } = {}) {
    Object.assign(this.#twoFactor, { ask, showsPasskeys: passkeys });
  }

  // Logging in.

  /** Logs in with a password. `user` is a username, an e-mail address, or `{ id }`, `{ username }`, `{ email }`. */
  async loginWithPassword({ user, password }) {
    return this.login({ user: userSelector(user), password: await passwordDigest(password) });
  }

  /** Logs in with the token of an earlier login, or with a personal access token. */
  loginWithToken(token) {
    return this.login({ resume: token });
  }

  /**
   * Logs in with a passkey alone. `how` goes to `navigator.credentials.get`: `{ mediation: 'conditional', signal }` offers
   * passkeys in the field for the username, until one is chosen or the signal aborts.
   */
  async loginWithPasskey(how) {
    return this.login({ webauthn: await showPasskey(await this.call('passkeys:beginLogin'), how) });
  }

  /** Logs in with any credentials that the server's `login` method accepts. */
  async login(credentials) {
    const call = { method: 'login', params: [] }; // `ask` does not get the credentials
    const withCode = ({ twoFactorCode }) => ({ totp: { login: credentials, code: twoFactorCode } });
    const perform = (answer) => this.#request('login', [answer ? withCode(answer) : credentials]);
    return this.#keepLogin(await this.#twoFactor.around(call, perform));
  }

  /** Calls a method that logs in as a side effect: `createUser`, `resetPassword`, `verifyEmail`. */
  async loginBy(method, ...params) {
    return this.#keepLogin(await this.call(method, ...params));
  }

  /** Logs out and invalidates the token. */
  async logout() {
    await this.#requestUntilAnswered('logout');
    this.#setLogin(null);
  }

  // Passkeys.

  /** Registers a passkey of this device or of a security key. Resolves to `{ id, name, codes }`, with backup codes if the user had none. */
  async registerPasskey(name) {
    const credential = await createPasskey(await this.call('passkeys:beginRegistration'));
    return this.call('passkeys:finishRegistration', { credential, name });
  }

  // Data.

  /** Subscribes to a publication, and again on each new session. Returns `{ id, name, ready, ended, stop() }`. */
  subscribe(name, ...params) {
    const id = this.#newId();
    const subscription = { name, id, params: EJSON.encode(params), ready: deferred(), ended: deferred(), isStopping: false };
    subscription.ready.promise.catch(() => {}); // callers that await it see the error
    if (this.status === 'closed') this.#endSubscription(subscription, connectionClosed());
    else {
      this.#subscriptions.set(id, subscription);
      if (this.#store.isIncomplete) this.#awaited.add(id);
      this.#send(`sub ${id}`, requestFor(subscription));
    }
    return { id, name, ready: subscription.ready.promise, ended: subscription.ended.promise, stop: () => this.#unsubscribe(subscription) };
  }

  /** Returns the local documents of a collection. */
  collection(name) {
    return this.#store.data(name).view;
  }

  // Login.

  #keepLogin({ id, token, tokenExpires }) {
    this.#setLogin({ userId: id, token, tokenExpires });
    return this.#login;
  }

  #setLogin(login, error) {
    const wasLoggedIn = this.#login !== null;
    this.#login = login;
    if (login || wasLoggedIn) this.#emit('login', login, error);
  }

  async #renewLogin() {
    const renewal = {};
    this.#renewal = renewal;
    const request = this.#request('login', [{ resume: this.#login.token }], { isUrgent: true });
    const outcome = await request.then((login) => ({ login }), (error) => ({ error }));
    if (this.#renewal !== renewal) return; // another session has begun
    this.#renewal = null;
    if (outcome.login) this.#keepLogin(outcome.login);
    else if (outcome.error.error === 403) this.#setLogin(null, outcome.error);
    else return this.#connection.startOver();
    this.#goOn();
  }

  /** Repeats a call until it is answered, for methods that may safely run twice. */
  async #requestUntilAnswered(method) {
    for (;;) {
      try {
        return await this.#request(method, []);
      } catch (error) {
        if (error.error !== 'connection-lost') throw error;
      }
    }
  }

  // Requests: methods, subscriptions, and their ends.

  /** Sends a method call once there is a connection. Resolves to the server's answer. */
  async #request(method, params, { isUrgent = false } = {}) {
    if (this.status === 'closed') throw connectionClosed();
    const id = this.#newId();
    const frame = JSON.stringify({ msg: 'method', id, method, params: EJSON.encode(params) });
    const request = { frame, isSent: false, isUpdated: false, answer: null, ...deferred() };
    this.#send(`method ${id}`, request, isUrgent);
    return request.promise;
  }

  #unsubscribe(subscription) {
    const { id, isStopping, ended } = subscription;
    if (isStopping || !this.#subscriptions.has(id)) return ended.promise;
    const request = this.#requests.get(`sub ${id}`);
    if (request && !request.isSent) this.#endSubscription(subscription);
    else {
      subscription.isStopping = true;
      this.#send(`unsub ${id}`, { frame: JSON.stringify({ msg: 'unsub', id }), isSent: false });
    }
    return ended.promise;
  }

  #endSubscription(subscription, error) {
    const { id, ready, ended } = subscription;
    this.#requests.delete(`sub ${id}`);
    this.#requests.delete(`unsub ${id}`);
    this.#subscriptions.delete(id);
    ready.reject(error ?? new DdpError({ error: 'subscription-stopped', reason: 'The subscription was stopped before it was ready' }));
    ended.resolve(error);
    this.#stopAwaiting(id);
  }

  #send(key, request, isUrgent = false) {
    this.#requests.set(key, request);
    if (this.#connection.isOpen && (isUrgent || !this.#renewal)) this.#sendNow(request);
  }

  #sendNow(request) {
    request.isSent = true;
    this.#connection.send(request.frame);
  }

  #newId() {
    this.#ids += 1;
    return String(this.#ids);
  }

  // Sessions.

  #opened(isResumed) {
    if (isResumed) this.#sendAgain();
    else this.#beginNewSession();
    if (!this.#renewal) this.#goOn();
  }

  /** On a resumed session the server recognises calls that it has already received, and runs them once. */
  #sendAgain() {
    for (const request of this.#requests.values()) if (request.isSent && !request.answer) this.#connection.send(request.frame);
  }

  #beginNewSession() {
    const older = [...this.#requests];
    this.#requests.clear();
    for (const subscription of [...this.#subscriptions.values()]) {
      if (subscription.isStopping) this.#endSubscription(subscription);
      else this.#requests.set(`sub ${subscription.id}`, requestFor(subscription));
    }
    for (const [key, request] of older) {
      if (!key.startsWith('method ')) continue;
      if (request.isSent) request.reject(connectionLost());
      else this.#requests.set(key, request);
    }
    this.#awaited = new Set(this.#subscriptions.keys());
    this.#store.beginNewSession();
    this.#renewal = null;
    if (this.#login) this.#renewLogin();
  }

  #goOn() {
    for (const request of [...this.#requests.values()]) if (!request.isSent) this.#sendNow(request);
    if (this.#awaited.size === 0) this.#documentsAreWhole();
    this.#connection.settle();
    this.#connecting?.resolve();
  }

  #ended(error) {
    this.#renewal = null;
    for (const request of [...this.#requests.values()]) request.reject?.(error);
    for (const subscription of [...this.#subscriptions.values()]) this.#endSubscription(subscription, error);
    this.#requests.clear();
    this.#connecting?.promise.catch(() => {}); // callers that await it see the error
    this.#connecting?.reject(error);
    this.#connecting = null;
  }

  // Messages from the server.

  #received(message) {
    try {
      this.#take(message);
    } catch (error) {
      this.#emit('error', error); // malformed messages are skipped
    }
  }

  #take(message) {
    switch (message.msg) {
      case 'added':
      case 'changed':
      case 'removed':
        return this.#store.take(message);
      case 'ready':
        return message.subs.forEach((id) => this.#ready(id));
      case 'nosub':
        return this.#nosub(message);
      case 'result':
        return this.#result(message);
      case 'updated':
        return message.methods.forEach((id) => this.#updated(id));
      case 'error':
        return this.#emit('error', message);
    }
  }

  #ready(id) {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    this.#requests.delete(`sub ${id}`);
    if (this.#store.isIncomplete) this.#onceWhole.push(() => subscription.ready.resolve());
    else subscription.ready.resolve();
    this.#stopAwaiting(id);
  }

  #nosub({ id, error }) {
    const subscription = this.#subscriptions.get(id);
    if (subscription) this.#endSubscription(subscription, error && new DdpError(error));
  }

  #result(message) {
    const request = this.#requests.get(`method ${message.id}`);
    if (!request) return;
    request.answer = message;
    if (message.error || request.isUpdated) this.#answered(message.id, request);
  }

  /** A call is complete when its result has arrived and the documents reflect what it did. */
  #updated(id) {
    const request = this.#requests.get(`method ${id}`);
    if (!request) return;
    request.isUpdated = true;
    if (request.answer) this.#answered(id, request);
  }

  #answered(id, { answer, resolve, reject }) {
    this.#requests.delete(`method ${id}`);
    if (answer.error) return reject(new DdpError(answer.error));
    try {
      resolve(EJSON.decode(answer.result));
    } catch (error) {
      reject(error);
    }
  }

  #stopAwaiting(id) {
    if (this.#awaited.delete(id) && this.#awaited.size === 0) this.#documentsAreWhole();
  }

  #documentsAreWhole() {
    this.#store.replace();
    for (const action of this.#onceWhole.splice(0)) action();
  }

  #emit(event, ...values) {
    notify(this.#listeners[event], ...values);
  }
}

function requestFor({ id, name, params }) {
  return { frame: JSON.stringify({ msg: 'sub', id, name, params }), isSent: false };
}

function userSelector(user) {
  if (typeof user !== 'string') return user;
  return user.includes('@') ? { email: user } : { username: user };
}

/** Returns the address of the server that served this file. */
function serverOfThisModule() {
  const url = new URL('websocket', import.meta.url);
  if (!url.protocol.startsWith('http')) throw new TypeError('Pass the address of the server, such as wss://example.com/websocket');
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
