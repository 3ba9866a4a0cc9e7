// The Content-Security-Policy blocks what a bug in the pages would let in, and the tests notice violations.

import assert from 'node:assert/strict';
import { browserTest } from './support/browser.js';
import { openAs, sees } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

browserTest('inline scripts and styles, and text that becomes markup, are blocked', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await visit.open(server.url);
  await sees(page, 'Sign in');
  const attempts = {
    script: () => document.head.append(Object.assign(document.createElement('script'), { src: 'data:text/javascript,globalThis.wasRun=true' })),
    style: () => document.head.append(Object.assign(document.createElement('style'), { textContent: 'body { display: none }' })),
    markup: () => (document.getElementById('main').innerHTML = '<b>bold</b>'),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    visit.complaints.length = 0;
    await page.evaluate(attempt).catch(({ message }) => visit.complaints.push(message));
    await page.waitForTimeout(50);
    assert.match(visit.complaints.join(), /Content Security Policy|TrustedHTML|TrustedScript/, name);
  }
  assert.equal(await page.evaluate(() => globalThis.wasRun), undefined);
  visit.complaints.length = 0;
});

browserTest('markup in names is shown as it was typed', async (visit) => {
  const server = await conformanceServer(visit);
  const username = '<img src=x onerror=alert(1)>';
  await server.call('setSetting', 'UTF8_User_Names_Validation', '.+');
  await server.call('createUser', { username });
  const page = await openAs(visit, server, 'admin', 'admin password', '/admin/users');
  await page.getByText(username, { exact: true }).waitFor();
});

browserTest('other sites cannot frame the pages', async (visit) => {
  const server = await conformanceServer(visit);
  const { headers } = await fetch(server.url);
  assert.match(headers.get('content-security-policy'), /frame-ancestors 'none'/);
});
