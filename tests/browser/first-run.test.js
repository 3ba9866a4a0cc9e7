// The first run of a new server: one command, one link, a protected account, a call of a protected method.

import assert from 'node:assert/strict';
import { codeAt, scan } from './support/authenticator.js';
import { browserTest } from './support/browser.js';
import { answer, goTo, hears, press, question, sees } from './support/pages.js';
import { bolideServe } from './support/programs.js';

const STEP_MS = 30_000;

browserTest('the first admin sets a password, protects the account, and changes a setting', async (visit) => {
  const { url, links } = await bolideServe(visit);
  assert.equal(links.length, 1);
  assert.ok(links[0].startsWith(`${url}/#/enroll-account/`), links[0]);

  const page = await visit.open(links[0]);
  await sees(page, 'Welcome');
  assert.equal(page.url(), `${url}/#/enroll-account`);
  await page.getByLabel('New password').fill('letmein');
  await press(page, 'Set the password');
  const refusal = page.getByRole('alert').getByText('The password does not meet the minimum length password policy. The password is common');
  await refusal.waitFor();
  await page.getByLabel('New password').fill('a long way down');
  await press(page, 'Set the password');

  await sees(page, 'Second factors');
  await press(page, 'Set up an authenticator app');
  const account = await scan(page.getByAltText('The QR code for your authenticator app'));
  assert.equal(account.issuer, 'Bolide');
  await page.getByLabel('Code', { exact: true }).fill(await codeAt(Date.now(), account));
  await press(page, 'Turn on the app');
  await page.getByRole('heading', { name: 'Save these backup codes' }).waitFor();
  assert.equal(
    await page
      .getByRole('listitem')
      .filter({ has: page.locator('code') })
      .count(),
    12,
  );

  await press(page, 'Go to the admin panel');
  await sees(page, 'Settings');
  await page.getByRole('switch', { name: 'Let anyone create an account.' }).uncheck();
  await press(page, 'Save');
  await question(page).getByText('Enter the code from your authenticator app, or a backup code, to change settings.').waitFor();
  await answer(page, await codeAt(Date.now() + STEP_MS, account));
  await hears(page, '1 setting saved.');
  await goTo(page, 'Audit log');
  await page.getByText('setting.changed').waitFor();
});

browserTest('until the first password is set, each start prints a valid link', async (visit) => {
  const first = await bolideServe(visit);
  await first.stop();
  const second = await bolideServe(visit, { directory: first.directory });
  const page = await visit.open(second.links[0]);
  await page.getByLabel('New password').fill('a long way down');
  await press(page, 'Set the password');
  await sees(page, 'Second factors');
  await page.close(); // or it would try to connect again
  await second.stop();
  const third = await bolideServe(visit, { directory: first.directory });
  assert.deepEqual(third.links, []);
});

browserTest('the link of the first run works once', async (visit) => {
  const {
    links: [link],
  } = await bolideServe(visit);
  for (const outcome of ['Second factors', 'Token expired.']) {
    const page = await visit.open(link);
    await page.getByLabel('New password').fill('a long way down');
    await press(page, 'Set the password');
    await page.getByText(outcome).first().waitFor();
  }
});
