// README.md's JavaScript, run verbatim.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startQuickstart } from './server.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

test('the quickstart of the README prints the documented output', { timeout: 15_000 }, async (context) => {
  const { code, output } = snippet(await readFile(here('../../README.md'), 'utf8'), '// quickstart.mjs');
  const folder = await mkdtemp(join(tmpdir(), 'bolide-readme-'));
  context.after(() => rm(folder, { recursive: true }));
  await symlink(here('node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'quickstart.mjs'), code);

  const quickstart = await startQuickstart();
  context.after(() => quickstart.stop());
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['quickstart.mjs'], { cwd: folder });
  assert.equal(stdout, output, stderr);
});

/** Returns the fenced block that begins with this line, and the next text block, which shows its output. */
function snippet(readme, firstLine) {
  const blocks = [...readme.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));
  const start = blocks.findIndex(({ text }) => text.startsWith(`${firstLine}\n`));
  assert.notEqual(start, -1, `README.md has no fenced block that begins with the line "${firstLine}"`);
  const output = blocks.slice(start).find(({ language }) => language === 'text');
  assert(output, `README.md has no block \`\`\`text after "${firstLine}" that shows what it prints`);
  return { code: blocks[start].text, output: output.text };
}
