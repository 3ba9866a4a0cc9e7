// `bolide.js` in an application's own page: the program in docs/bolide-js.md verbatim, and everything that works differently
// in browsers than in Node.js.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { browserTest } from './support/browser.js';
import { conformanceServer } from './support/programs.js';

const DOCS = await readFile(new URL('../../docs/bolide-js.md', import.meta.url), 'utf8');
const [, HTML, PROGRAM] = /The whole program of a page[^]*?```html\n([^]*?)```\n\n```js\n([^]*?)```/.exec(DOCS);

/** Opens an application's own page on the same server. Its program is a module. */
async function openOwnPage(visit, server, body, program) {
  const page = await visit.open(server.url);
  await page.route('**/own.html', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<!doctype html><title>Own</title><link rel="icon" href="icon.svg">${body}<script type="module" src="own.js"></script>`,
    }),
  );
  await page.route('**/own.js', (route) => route.fulfill({ contentType: 'text/javascript', body: program }));
  await page.goto(`${server.url}/own.html`);
  return page;
}

browserTest('the program in the documentation works as described', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openOwnPage(visit, server, HTML, PROGRAM);
  await page.locator('[name=user]').fill('alice');
  await page.locator('[name=password]').fill('correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Welcome!').waitFor();
  await page.getByRole('button', { name: 'Send 5 to Bob' }).click();
  await page.locator('[name=code]').fill('wrong');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('That is wrong. Your password:').waitFor();
  await page.locator('[name=code]').fill('correct horse');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('5 went to bob.').waitFor();
});

browserTest('it finds its server, makes calls and keeps documents', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openOwnPage(visit, server, '', "import * as bolide from './bolide.js'; globalThis.bolide = bolide;");
  await page.waitForFunction(() => globalThis.bolide);
  const outcome = await page.evaluate(async () => {
    const client = new globalThis.bolide.DdpClient();
    await client.connect();
    await client.subscribe('items').ready;
    await client.call('insertItem', { name: 'lamp', at: new Date(0), bytes: new Uint8Array([1, 2]) });
    const [{ name, at, bytes }] = client.collection('items').all();
    const sum = await client.call('add', 2, 3);
    client.close();
    return { sum, name, at: at.getTime(), bytes: [...bytes] };
  });
  assert.deepEqual(outcome, { sum: 5, name: 'lamp', at: 0, bytes: [1, 2] });
});

browserTest('the password digest is the same with and without the browser SHA-256', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openOwnPage(visit, server, '', "import { sha256 } from './bolide.js'; globalThis.sha256 = sha256;");
  await page.waitForFunction(() => globalThis.sha256);
  const [lent, own] = await page.evaluate(async () => {
    const lent = await globalThis.sha256('correct horse – батарея');
    Object.defineProperty(crypto, 'subtle', { value: undefined });
    return [lent, await globalThis.sha256('correct horse – батарея')];
  });
  assert.equal(lent, own);
});

browserTest('codes may be grouped as people type them, and passwords keep their outer spaces', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openOwnPage(visit, server, '', "import * as bolide from './bolide.js'; globalThis.bolide = bolide;");
  await page.waitForFunction(() => globalThis.bolide);
  const outcome = await page.evaluate(async () => {
    const { DdpClient, passwordDigest, typedCode } = globalThis.bolide;
    const client = new DdpClient();
    client.onTwoFactor(({ attempt }) => (attempt === 1 ? ' spaced ' : null));
    await client.connect();
    await client.loginBy('createUser', { username: 'spaced', password: await passwordDigest(' spaced ') });
    await client.call('setSetting', 'Accounts_TwoFactorAuthentication_RememberFor', 0);
    const passed = await client.call('gated').catch((error) => error.error);
    client.close();
    return { passed, codes: ['123 456', '123-456', ' 123456 ', 'abcd-EFGH '].map(typedCode) };
  });
  assert.deepEqual(outcome.codes, ['123456', '123456', '123456', 'abcd-EFGH']);
  assert.equal(outcome.passed, 'ok');
});
