// A client of the rig in `tests/cluster`: simpleddp, told what to do in lines of JSON, and keeping what it was sent in a strict
// store. Usage: node cluster-client.js ws://127.0.0.1:3000/websocket

import { createInterface } from 'node:readline';
import SimpleDDP from 'simpleddp';
import WebSocket from 'ws';
import { Store } from './store.js';

// The library drops promises of subscriptions that it starts again, and of calls whose connection is lost.
process.on('unhandledRejection', () => {});

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** What the server has sent over the current socket. The library's own events are not used: it also removes documents itself. */
let store = new Store();

class RecordedSocket extends WebSocket {
  constructor(...options) {
    super(...options);
    const own = (store = new Store());
    this.on('message', (text) => {
      const message = JSON.parse(text);
      if (['added', 'changed', 'removed'].includes(message.msg)) own.take(message);
      say({ event: 'message', text: String(text).slice(0, 200) });
    });
  }
}

const ddp = new SimpleDDP({ endpoint: process.argv[2], SocketConstructor: RecordedSocket, reconnectInterval: 200 });
/** The calls that wait for their results, by id: the library forgets them when the connection is lost. */
const pending = new Map();

ddp.on('connected', () => say({ event: 'connected' }));
ddp.on('disconnected', () => {
  say({ event: 'disconnected' });
  for (const [id, forget] of pending) forget({ id, unknown: 'the connection was lost' });
});

async function call({ id, method, params }) {
  const lost = new Promise((forget) => pending.set(id, forget));
  const answer = ddp.connected
    ? ddp.call(method, ...params).then(
        (result) => ({ id, result }),
        (error) => ({ id, error }),
      )
    : { id, error: { error: 'not-connected', reason: 'there is no connection' } };
  say(await Promise.race([answer, lost]));
  pending.delete(id);
}

async function subscribe({ id, name, params }) {
  await ddp.connect();
  const subscription = ddp.subscribe(name, ...params);
  await subscription.ready();
  say({ id });
  // As an application does: the library does not subscribe again after it was refused.
  setInterval(() => {
    if (ddp.connected && subscription.isStopped() && !subscription.isOn()) subscription.start();
  }, 300);
}

function view({ id }) {
  try {
    say({ id, documents: store.documents('items') });
  } catch (contradiction) {
    say({ id, error: contradiction.message });
  }
}

const operations = { call, subscribe, view };
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  Promise.resolve(operations[question.op](question)).catch((error) => say({ id: question.id, error: String(error?.message ?? error) }));
}
process.exit();
