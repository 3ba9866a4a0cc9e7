// The programs under test: the conformance server, which has fixed users, and `bolide serve`, which starts without users.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startServer } from '../../js/server.js';

/** Starts the conformance server, whose clock tests can move forward. */
export async function conformanceServer(visit, { flags = [] } = {}) {
  const server = await startServer({ flags });
  visit.endWith(server.stop);
  const call = (method, ...params) => callOverRest(server.http, method, params);
  return { url: server.http, call, passTime: (seconds) => call('advanceClock', seconds * 1000) };
}

/** Starts `bolide serve`, by default in an empty directory. `links` are the links that it printed before it was ready. */
export async function bolideServe(visit, { directory } = {}) {
  directory ??= await emptyDirectory(visit);
  const server = spawn(program(), ['serve', '--listen', '127.0.0.1:0', '--data-dir', directory], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exit = once(server, 'exit');
  const stop = () => (server.kill('SIGTERM'), exit);
  visit.endWith(stop);
  const links = [];
  for await (const line of createInterface({ input: server.stdout })) {
    const [, url] = /^listening on (http:\S+)$/.exec(line) ?? [];
    if (url) return { url, links, directory, stop };
    links.push(...(line.match(/http\S+/g) ?? []));
  }
  throw new Error('`bolide serve` ended before it was ready; run it by hand to see why');
}

async function emptyDirectory(visit) {
  const directory = await mkdtemp(join(tmpdir(), 'bolide-'));
  visit.endWith(() => rm(directory, { recursive: true }));
  return directory;
}

/** Returns the answer of a REST endpoint. */
export function post(http, endpoint, body, headers = {}) {
  return fetch(`${http}/api/v1/${endpoint}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

async function callOverRest(http, method, params) {
  const message = JSON.stringify({ msg: 'method', id: '1', method, params });
  const answer = await post(http, `method.callAnon/${encodeURIComponent(method)}`, { message });
  const { result, error } = JSON.parse((await answer.json()).message);
  if (error) throw Object.assign(new Error(error.message), error);
  return result;
}

function program() {
  const path = process.env.BOLIDE;
  if (!path || !existsSync(path)) throw new Error('Set BOLIDE to the path of the program `bolide` (build it with `cargo build --bin bolide`).');
  return path;
}
