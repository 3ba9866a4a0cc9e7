// The programs under test: the conformance server, which has fixed users, `bolide serve`, which starts without users, and
// the example `chat`.

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
  const path = program('BOLIDE', 'cargo build --bin bolide');
  return { directory, ...(await start(visit, path, ['serve', '--listen', '127.0.0.1:0', '--data-dir', directory])) };
}

/** Starts the example `chat` with an empty database. `restart` stops it, and starts it again with the same database. */
export async function chatServer(visit) {
  const path = program('BOLIDE_CHAT', 'cargo build --example chat');
  const database = join(await emptyDirectory(visit), 'chat.db');
  const startAt = (address) => start(visit, path, ['--listen', address, '--database', database]);
  const { url, stop } = await startAt('127.0.0.1:0');
  const restart = async () => {
    await stop();
    await startAt(new URL(url).host);
  };
  return { url, restart };
}

/** Starts a program that prints where it listens, and other links before. */
async function start(visit, path, flags) {
  const server = spawn(path, flags, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, NO_COLOR: '1' } });
  const exit = once(server, 'exit');
  const stop = () => (server.kill('SIGTERM'), exit);
  visit.endWith(stop);
  const links = [];
  for await (const line of createInterface({ input: server.stdout })) {
    const [, url] = /listening on (http:\S+)$/.exec(line) ?? [];
    if (url) return { url, links, stop };
    links.push(...(line.match(/http\S+/g) ?? []));
  }
  throw new Error(`${path} ended before it was ready; run it by hand to see why`);
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

function program(variable, build) {
  const path = process.env[variable];
  if (!path || !existsSync(path)) throw new Error(`Set ${variable} to the path of the program; \`${build}\` builds it.`);
  return path;
}
