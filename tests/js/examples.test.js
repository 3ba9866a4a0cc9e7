// The examples of the Rust client, run as their first lines say.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { dirname, join } from 'node:path';
import WebSocket from 'ws';
import { patience } from './promises.js';
import { RawClient } from './raw.js';
import { startServer } from './server.js';

describe("the Rust client's examples", patience, () => {
  let server;
  before(async () => (server = await startServer()));
  after(() => server.stop());

  /** Starts an example, which was built together with the conformance server. */
  const run = (example, ...flags) => {
    const program = join(dirname(process.env.BOLIDE_CONFORMANCE_SERVER), example);
    const child = spawn(program, flags, { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    const listeners = new Set();
    child.stdout.on('data', (text) => {
      output += text;
      for (const look of listeners) look();
    });
    const ended = new Promise((resolve) => child.once('close', (code) => resolve([code, output])));
    /** Resolves when the example has printed the text. */
    const prints = (text) =>
      new Promise((resolve, reject) => {
        const look = () => output.includes(text) && resolve();
        listeners.add(look);
        look();
        ended.then(() => reject(new Error(`it has ended, and printed no "${text}": ${output}`)));
      });
    return { child, ended, prints };
  };

  test('client_call calls one method, ten in parallel, and one that does not exist', async () => {
    const [code, output] = await run('client_call', server.websocket).ended;
    assert.equal(code, 0);
    assert.match(output, /^2 \+ 3 = 5\ndoubled: \[0\.0, 2\.0, .*18\.0\]\nthe server says 404: Method 'fly' not found \[404\]\n$/);
  });

  test('client_subscribe prints added, changed and removed documents', async () => {
    const { child, ended, prints } = run('client_subscribe', server.websocket);
    await prints('there are 0 items');
    const writer = await RawClient.connect(new WebSocket(server.websocket));
    await writer.call('insertItem', { _id: 'tea', name: 'tea' });
    await prints('new: {"_id":"tea","name":"tea"}');
    await writer.call('updateItem', 'tea', { set: { name: 'coffee' }, unset: [] });
    await prints('coffee');
    await writer.call('removeItem', 'tea');
    await prints('gone: tea');
    child.kill('SIGTERM');
    await ended;
    await writer.close();
  });

  for (const [example, address] of [['client_two_factor', 'websocket'], ['client_rest', 'http']]) {
    test(`${example} asks for a code, asks again after a wrong one, and prints the result`, async () => {
      const { child, ended, prints } = run(example, server[address], 'alice', 'correct horse', 'gated');
      await prints('password code: ');
      child.stdin.write('wrong\n');
      child.stdin.write('correct horse\n');
      const [code, output] = await ended;
      assert.equal(code, 0, output);
      assert.match(output, /^signed in as user-alice\n/);
      assert.match(output, /password code: .*password code: "ok"\n$/s);
    });
  }
});
