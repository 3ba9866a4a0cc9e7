// Every page in light and dark mode and on a phone: nothing overflows, axe reports no violations, and a screenshot for people
// is written to `target/screenshots`.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { browserTest } from './support/browser.js';
import { watchItems } from './support/items.js';
import { answer, openAs, press, question, sees, signIn } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = fileURLToPath(new URL('../../target/screenshots/', import.meta.url));
const LOOKS = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
const FOR_GUESTS = {
  '/sign-in': 'Sign in',
  '/sign-up': 'Create an account',
  '/forgot-password': 'Reset your password',
  '/reset-password/token': 'New password',
  '/enroll-account/token': 'Welcome',
  '/nowhere': 'Not found',
};
const FOR_ADMINS = {
  '/account': 'Profile',
  '/account/two-factor': 'Second factors',
  '/account/clients': 'Signed-in clients',
  '/account/tokens': 'Access tokens',
  '/admin/overview': 'Overview',
  '/admin/settings': 'Settings',
  '/admin/users': 'Users',
  '/admin/roles': 'Roles',
  '/admin/methods': 'Methods',
  '/admin/collections': 'Collections',
  '/admin/sessions': 'Live sessions',
  '/admin/audit': 'Audit log',
  '/admin/mail': 'Mail queue',
};

for (const [look, options] of Object.entries(LOOKS)) {
  // The Content-Security-Policy blocks axe, so it is disabled for these pages. All other tests keep it.
  const bypassing = { ...options, bypassCSP: true };

  browserTest(`pages of guests, ${look}`, async (visit) => {
    const server = await conformanceServer(visit);
    const page = await visit.open(server.url, bypassing);
    for (const [path, heading] of Object.entries(FOR_GUESTS)) {
      await page.goto(`${server.url}/#${path}`);
      await sees(page, heading);
      await examine(page, look, path);
    }
    await page.goto(`${server.url}/#/sign-in`);
    await signIn(page, 'bob', 'battery staple');
    await question(page).waitFor();
    await examine(page, look, '/sign-in/question');
  });

  browserTest(`pages of admins, ${look}`, async (visit) => {
    const server = await conformanceServer(visit);
    const page = await openAs(visit, server, 'admin', 'admin password', '/account/tokens', bypassing);
    await page.getByLabel('Name').fill('backup script');
    await press(page, 'Create token');
    await answer(page, 'admin password');
    await page.locator('code.secret').waitFor();
    await examine(page, look, '/account/tokens/new');
    for (const [path, heading] of Object.entries(FOR_ADMINS)) {
      await page.goto(`${server.url}/#${path}`);
      await sees(page, heading);
      await page.locator('.note', { hasText: 'Loading' }).first().waitFor({ state: 'hidden' });
      await examine(page, look, path);
    }
    await server.call('insertItem', { name: 'ink' });
    await watchItems(visit, server);
    await page.goto(`${server.url}/#/admin/collections`);
    await page.getByRole('region', { name: 'Live queries of items' }).waitFor();
    await examine(page, look, '/admin/collections/live');
    await page.goto(`${server.url}/#/account/two-factor`);
    await press(page, 'Set up an authenticator app');
    await question(page).waitFor();
    await examine(page, look, '/account/two-factor/question');
    await answer(page, 'admin password');
    await page.getByAltText('The QR code for your authenticator app').waitFor();
    await examine(page, look, '/account/two-factor/enrolment');
    await page.goto(`${server.url}/#/admin/users`);
    await press(page, 'Manage zoe');
    await examine(page, look, '/admin/users/dialog');
    await page.goto(`${server.url}/#/admin/overview`);
    await server.call('sleep', 1100);
    await page.getByRole('row', { name: /^sleep/ }).waitFor();
    await examine(page, look, '/admin/overview/busy');
  });
}

browserTest('on a phone a button opens the navigation, and a choice closes it', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account', LOOKS.phone);
  const link = page.getByRole('navigation').getByRole('link', { name: 'Access tokens' });
  await link.waitFor({ state: 'hidden' });
  await press(page, 'Menu');
  await link.click();
  await sees(page, 'Access tokens');
  await link.waitFor({ state: 'hidden' });
});

browserTest('a new page focuses its heading or its first field', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await visit.open(server.url);
  await sees(page, 'Sign in');
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.name);
  assert.equal(await focused(), 'user');
  await signIn(page, 'alice', 'correct horse');
  await sees(page, 'Profile');
  assert.equal(await focused(), 'Profile');
  await page.keyboard.press('Shift+Tab'); // not past the document's first
  await page.getByRole('link', { name: 'Access tokens' }).focus();
  await page.keyboard.press('Enter');
  await sees(page, 'Access tokens');
  assert.equal(await focused(), 'Access tokens');
});

async function examine(page, look, path) {
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}${path.slice(1).replaceAll('/', '-')}-${look}.png`, animations: 'disabled' });
  const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(width, 0, `${path} is wider than the window`);
  assert.deepEqual(await violations(page), [], path);
}

/** Returns the serious violations that axe reports. */
async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run());
  const isSerious = ({ impact }) => impact === 'serious' || impact === 'critical';
  return found.violations
    .filter(isSerious)
    .map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`) }));
}
