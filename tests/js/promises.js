// What a server promises to every client, tested through each client library.
//
// Each client library has an adapter:
//   connect(server)          → a client, connected
//   client.call(name, …)     → the result; fails with the server's error
//   client.subscribe(name, …) → { stop() }, once it is ready; fails with the error of a `nosub`
//   client.documents(name)   → documents by id, as the library stores them
//   client.onData(look)      calls `look` whenever documents may have changed
//   client.close()
// `ejson` says how the library represents dates and bytes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startServer } from './server.js';

/** Dates and bytes of a library that leaves EJSON to its user. */
export const plainJson = { date: (ms) => ({ $date: ms }), bytes: (...bytes) => ({ $binary: Buffer.from(bytes).toString('base64') }) };

/** Dates and bytes of a library that supports EJSON. */
export const knowsEjson = { date: (ms) => new Date(ms), bytes: (...bytes) => Uint8Array.from(bytes) };

/** The timeout of a test or a group of tests. */
export const patience = { timeout: 15_000 };

/**
 * Runs tests with their own server. `tests(promise)` gets a `test` function that passes a connected client and tools:
 * `another()` connects one more, `connectTo(server)` one to another server, and `started(options)` starts such a server.
 */
export function withClient(connect, tests) {
  let server;
  before(async () => (server = await startServer()));
  after(() => server.stop());

  tests((name, check) =>
    test(name, patience, async (context) => {
      const opened = [];
      context.after(async () => {
        while (opened.length) await opened.pop()();
      });
      const connectTo = async (server) => {
        const client = await connect(server);
        opened.push(() => client.close());
        return client;
      };
      const started = async (options) => {
        const server = await startServer(options);
        opened.push(() => server.stop());
        return server;
      };
      const another = () => connectTo(server);
      await check(await another(), { another, connectTo, started, server });
    }),
  );
}

export function keepsPromisesAboutMethods(connect, ejson) {
  describe('methods', () =>
    withClient(connect, (promise) => {
      promise('a call returns its result', async (client) => {
        assert.equal(await client.call('add', 2, 3), 5);
      });

      promise('a method that does not exist fails with the number 404 and a message', async (client) => {
        await assert.rejects(client.call('noSuchMethod'), {
          isClientSafe: true,
          error: 404,
          reason: "Method 'noSuchMethod' not found",
          message: "Method 'noSuchMethod' not found [404]",
          errorType: 'Meteor.Error',
        });
      });

      promise('an error has the code, reason and details of its method', async (client) => {
        await assert.rejects(client.call('failWith', 'too-cold', 'Put on a coat', { degrees: -5 }), {
          error: 'too-cold',
          reason: 'Put on a coat',
          details: { degrees: -5 },
          message: 'Put on a coat [too-cold]',
        });
      });

      promise('an internal error reveals no details', async (client) => {
        for (const method of ['failInternally', 'panicNow']) {
          const error = await failure(client.call(method));
          assert.equal(error.error, 500);
          assert.equal(error.reason, 'Internal server error');
          assert.equal(error.details, undefined);
        }
      });

      promise('parameters of the wrong type fail with 400', async (client) => {
        await assert.rejects(client.call('add', 'two', {}), { error: 400, reason: 'Match failed' });
      });

      promise('falsy results are returned unchanged', async (client) => {
        for (const value of [0, '', false, null]) assert.equal(await client.call('echo', value), value);
        assert.equal(await client.call('nothing'), undefined);
      });

      promise('dates and bytes are returned as dates and bytes', async (client) => {
        const value = { at: ejson.date(1700000000123), list: [ejson.bytes(0, 1, 254, 255), { deep: ejson.date(-1) }] };
        assert.deepEqual(await client.call('echo', value), value);
      });

      promise('any text is returned unchanged', async (client) => {
        const text = 'é 𝒳 \u0000 \u2028 "\\/ 👩‍🚀 \u007f';
        assert.equal(await client.call('echo', text), text);
      });

      promise('results arrive in the order of their calls', async (client) => {
        assert.deepEqual(await inOrderOfArrival([client.call('sleep', 30), client.call('add', 1, 1), client.call('echo', 'last')]), [30, 2, 'last']);
      });

      promise('a call that unblocks can be overtaken by others', async (client) => {
        assert.deepEqual(await inOrderOfArrival([client.call('sleepUnblocked', 300), client.call('echo', 'first')]), ['first', 300]);
      });

      promise('500 calls sent at once are answered in order', async (client) => {
        const numbers = Array.from({ length: 500 }, (_, i) => i);
        assert.deepEqual(await inOrderOfArrival(numbers.map((i) => client.call('echo', i))), numbers);
      });

      promise('300 KB are returned completely', async (client) => {
        const text = 'a message as long as a photo '.repeat(10_345);
        assert.equal(await client.call('echo', text), text);
      });

      promise('JSON 30 levels deep is returned unchanged', async (client) => {
        const deep = Array.from({ length: 30 }).reduce((inner, _, i) => (i % 2 ? [inner] : { inner }), 'the bottom');
        assert.deepEqual(await client.call('echo', deep), deep);
      });

      promise('a gated method rejects callers without a login', async (client) => {
        await assert.rejects(client.call('transferFunds', { to: 'bob', amount: 5 }), { error: 'error-invalid-user' });
      });

      promise('a gated method asks for a second factor and names the method', async (client) => {
        await client.call('setUserId', 'user-alice');
        const error = await failure(client.call('transferFunds', { to: 'bob', amount: 5 }));
        assert.equal(error.error, 'totp-required');
        assert.equal(typeof error.details.method, 'string');
      });

      promise('extra parameters from Rocket.Chat apps do not harm open methods', async (client) => {
        assert.equal(await client.call('add', 2, 3, ''), 5);
        assert.equal(await client.call('add', 2, 3, { twoFactorCode: '123456', twoFactorMethod: 'totp' }), 5);
      });

      promise('a silent client is pinged, answers and stays connected', async (_, { connectTo, started }) => {
        const client = await connectTo(await started({ flags: ['--heartbeat-interval-ms', '100', '--heartbeat-timeout-ms', '500'] }));
        assert.equal(await client.call('sleepUnblocked', 900), 900);
      });
    }),
  );
}

export function keepsPromisesAboutPublications(connect, ejson) {
  describe('publications', () =>
    withClient(connect, (promise) => {
      promise("a publication's documents have arrived when it is ready", async (client) => {
        await client.subscribe('tick', 2);
        const common = { tags: ['a', 'b'] };
        assert.deepEqual({ ...client.documents('ticks') }, {
          doc0: { ...common, i: 0, name: 'item number 0', price: 0.5, done: false, at: ejson.date(1700000000000) },
          doc1: { ...common, i: 1, name: 'item number 1', price: 1.5, done: true, at: ejson.date(1700000000001) },
        });
      });

      promise('2 000 documents all arrive before ready', async (client) => {
        await client.subscribe('tick', 2000);
        assert.equal(Object.keys(client.documents('ticks')).length, 2000);
      });

      promise('the changes made by a call have arrived when it returns', async (client) => {
        await client.subscribe('itemsWhere', { room: 'kitchen' });
        const id = await client.call('insertItem', { room: 'kitchen', name: 'kettle', hot: true });
        assert.deepEqual(client.documents('items')[id], { room: 'kitchen', name: 'kettle', hot: true });
        await client.call('updateItem', id, { set: { name: 'pan' }, unset: ['hot'] });
        assert.deepEqual(client.documents('items')[id], { room: 'kitchen', name: 'pan' });
        await client.call('removeItem', id);
        assert.equal(client.documents('items')[id], undefined);
      });

      promise("another client's changes arrive too", async (client, { another }) => {
        const seen = () => client.documents('items').lamp;
        await client.subscribe('items');
        const writer = await another();
        await writer.call('insertItem', { _id: 'lamp', on: false });
        await until(client, () => seen()?.on === false);
        await writer.call('updateItem', 'lamp', { set: { on: true } });
        await until(client, () => seen().on === true);
        await writer.call('removeItem', 'lamp');
        await until(client, () => !seen());
      });

      promise('a document is removed when it no longer matches the selector', async (client) => {
        await client.subscribe('itemsWhere', { room: 'hall' });
        const id = await client.call('insertItem', { room: 'hall' });
        await client.call('updateItem', id, { set: { room: 'attic' } });
        assert.equal(client.documents('items')[id], undefined);
      });

      promise('a broadcast reaches every subscriber', async (client, { another }) => {
        const clients = [client, await another(), await another()];
        for (const each of clients) await each.subscribe('feed');
        assert.equal(await client.call('broadcast', { score: [1, 0] }), 3);
        for (const each of clients) await until(each, () => each.documents('feed').x.p?.score[0] === 1);
      });

      promise('a publication that does not exist fails with 404', async (client) => {
        await assert.rejects(client.subscribe('noSuchPublication'), { error: 404, reason: "Subscription 'noSuchPublication' not found" });
      });

      promise('a publication that fails reports its error', async (client) => {
        await assert.rejects(client.subscribe('needsLogin'), { error: 'not-authorized', message: '[not-authorized]' });
        await assert.rejects(client.subscribe('script', [['throw']]), { error: 500, reason: 'Internal server error' });
      });

      promise('a stopped subscription removes its documents', async (client) => {
        const subscription = await client.subscribe('tick', 3);
        await subscription.stop();
        assert.deepEqual({ ...client.documents('ticks') }, {});
      });

      promise('a document stays while one subscription contains it', async (client) => {
        const three = await client.subscribe('tick', 3);
        await client.subscribe('tick', 1);
        await three.stop();
        assert.deepEqual(Object.keys(client.documents('ticks')), ['doc0']);
      });

      promise('the fields of one document from two subscriptions are merged', async (client) => {
        const first = await client.subscribe('script', [['added', 'people', 'ada', { name: 'Ada', born: 1815 }], ['ready']]);
        await client.subscribe('script', [['added', 'people', 'ada', { name: 'Countess', title: 'Lady' }], ['ready']]);
        assert.deepEqual(client.documents('people').ada, { name: 'Ada', born: 1815, title: 'Lady' });
        await first.stop();
        assert.deepEqual(client.documents('people').ada, { name: 'Countess', title: 'Lady' });
      });

      promise('publications run again when the user changes', async (client) => {
        await client.subscribe('ownDocuments');
        assert.deepEqual({ ...client.documents('own') }, { shared: { owner: null } });
        await client.call('setUserId', 'ada');
        assert.deepEqual({ ...client.documents('own') }, { 'ada-1': { owner: 'ada' }, shared: { owner: 'ada' } });
        await client.call('setUserId', null);
        assert.deepEqual({ ...client.documents('own') }, { shared: { owner: null } });
      });
    }),
  );
}

/** Resolves when data from the server have made a condition true. */
export function until(client, condition) {
  return new Promise((resolve, reject) => {
    let done = false;
    const look = () => {
      try {
        if (!done && (done = condition())) resolve();
      } catch (error) {
        reject(error);
      }
    };
    client.onData(look);
    look();
  });
}

/** Resolves to the error of a failed call. */
export async function failure(call) {
  const answer = await call.then((result) => ({ result }), (error) => ({ error }));
  assert('error' in answer, `it should have failed, but brought ${JSON.stringify(answer.result)}`);
  return answer.error;
}

async function inOrderOfArrival(calls) {
  const arrived = [];
  await Promise.all(calls.map(async (call) => arrived.push(await call)));
  return arrived;
}
