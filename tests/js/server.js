// Starts and stops the programs under test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** Starts the conformance server on a free port, or on `address`. */
export async function startServer({ address = '127.0.0.1:0', flags = [] } = {}) {
  const server = start('BOLIDE_CONFORMANCE_SERVER', 'conformance_server', ['--listen', address, ...flags]);
  const line = await Promise.race([once(createInterface({ input: server.output }), 'line'), server.death]);
  const [, host] = /^listening on http:\/\/(\S+)$/.exec(line) ?? server.complain(`said "${line}" when it started`);
  return { address: host, http: `http://${host}`, websocket: `ws://${host}/websocket`, stop: server.stop };
}

/** Starts the quickstart example, whose address is fixed because README.md names it. */
export async function startQuickstart() {
  const port = 3000;
  if (await accepts(port)) throw new Error(`Port ${port} is in use by another program; the quickstart example needs it.`);
  const server = start('BOLIDE_QUICKSTART', 'quickstart');
  while (!(await Promise.race([accepts(port), server.death])));
  return { stop: server.stop };
}

function start(variable, example, flags = []) {
  const child = spawn(programIn(variable, example), flags, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);

  const complain = (what) => {
    throw new Error(`The example ${example} ${what}.\n${log}`);
  };
  const exit = once(child, 'exit');
  const death = exit.then(([code, signal]) => complain(`ended with ${signal ?? code}`));
  death.catch(() => {}); // the race below sees the error

  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) await death;
    child.kill('SIGTERM');
    const [code, signal] = await exit;
    process.off('exit', killed);
    if (code !== 0) complain(`ended with ${signal ?? code} when it was asked to end`);
  };
  return { output: child.stdout, death, complain, stop };
}

function programIn(variable, example) {
  const program = process.env[variable];
  const advice = `build it with \`cargo build --example ${example}\``;
  if (!program) throw new Error(`Set ${variable} to the path of the example ${example} (${advice}).`);
  if (!existsSync(program)) throw new Error(`${variable} names ${program}, which does not exist (${advice}).`);
  return program;
}

async function accepts(port) {
  const socket = connect(port, '127.0.0.1');
  const accepted = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'close').then(() => false)]).catch(() => false);
  socket.destroy();
  return accepted;
}
