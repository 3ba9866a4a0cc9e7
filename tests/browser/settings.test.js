// Settings: what an admin changes counts at once, for everybody.

import assert from 'node:assert/strict';
import { browserTest } from './support/browser.js';
import { answer, hears, openAs, press, question, sees } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

const SIGN_UP = 'Let everybody create an account.';
const REMEMBER = 'How long a client that has shown a second factor is not asked again';

async function openSettings(visit, server) {
  const page = await openAs(visit, server, 'admin', 'admin password', '/admin/settings');
  await page.getByRole('switch', { name: SIGN_UP }).waitFor();
  return page;
}

browserTest('another page feels a changed setting without a reload', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  const guest = await visit.open(server.url);
  const link = guest.getByRole('link', { name: 'Create an account' });
  await link.waitFor();
  await page.getByRole('switch', { name: SIGN_UP }).uncheck();
  await press(page, 'Save');
  await question(page).getByText('to change settings').waitFor();
  await answer(page, 'admin password');
  await hears(page, '1 setting saved.');
  await link.waitFor({ state: 'hidden' });
  await guest.goto(`${server.url}/#/sign-up`);
  await guest.getByText('Only admins can create accounts here.').waitFor();
});

browserTest('a setting that another admin changes is shown, and what is being typed stays', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  const typed = page.getByLabel('How long a log-in lasts');
  await typed.fill('30');
  await server.call('setSetting', 'Accounts_LoginExpiration', 60);
  await server.call('setSetting', 'Accounts_TwoFactorAuthentication_RememberFor', 600);
  await page.waitForFunction(
    (label) => [...document.querySelectorAll('label')].find(({ textContent }) => textContent.startsWith(label)).control.value === '600',
    REMEMBER,
  );
  assert.equal(await typed.inputValue(), '30');
  await press(page, 'Discard');
  assert.equal(await typed.inputValue(), '60');
});

browserTest('several changes are saved with one question; defaults are one press away', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  await page.getByRole('switch', { name: SIGN_UP }).uncheck();
  await page.getByLabel(REMEMBER).fill('60');
  await page.getByText('2 changes').waitFor();
  await press(page, 'Save');
  await answer(page, 'admin password');
  await hears(page, '2 settings saved.');
  await press(page, 'Reset to default: Accounts_TwoFactorAuthentication_RememberFor');
  assert.equal(await page.getByLabel(REMEMBER).inputValue(), '300');
  await press(page, 'Save'); // the answer before is remembered
  await hears(page, '1 setting saved.');
});

browserTest('a value that does not fit is not sent', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  const input = page.getByLabel(REMEMBER);
  for (const wrong of ['-1', '', '1.5']) {
    await input.fill(wrong);
    await press(page, 'Save');
    assert.equal(await input.evaluate((shown) => shown.matches(':invalid') && shown === document.activeElement), true, wrong);
  }
  assert.equal(await question(page).count(), 0);
});

browserTest('what an environment variable fixes cannot be changed, and the page says which one does', async (visit) => {
  process.env.BOLIDE_SETTING_Accounts_LoginExpiration = '7';
  const server = await conformanceServer(visit).finally(() => delete process.env.BOLIDE_SETTING_Accounts_LoginExpiration);
  const page = await openSettings(visit, server);
  const input = page.getByLabel('How long a log-in lasts');
  assert.equal(await input.isDisabled(), true);
  assert.equal(await input.inputValue(), '7');
  await page.getByText('Set by the environment variable BOLIDE_SETTING_Accounts_LoginExpiration.').waitFor();
});

browserTest('factors that admins turn off are not offered any more', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  await page.getByRole('button', { name: 'Set up an authenticator app' }).waitFor();
  await server.call('setSetting', 'Accounts_TwoFactorAuthentication_By_TOTP_Enabled', false);
  await server.call('setSetting', 'Accounts_TwoFactorAuthentication_By_Email_Enabled', false);
  await page.getByText('An admin has turned off authenticator apps.').waitFor();
  await page.getByText('An admin has turned off codes by e-mail.').waitFor();
});

browserTest('settings are found by their words and ids', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  await page.getByLabel('Find a setting').fill('loginexpiration');
  await page.getByRole('switch', { name: SIGN_UP }).waitFor({ state: 'hidden' });
  assert.equal(await page.locator('.setting:visible').count(), 1);
});

browserTest('the pages can be turned off, and are gone at once', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  await page.getByRole('switch', { name: 'Serve the account page and this panel.' }).uncheck();
  await press(page, 'Save');
  await answer(page, 'admin password');
  await hears(page, '1 setting saved.');
  assert.equal((await fetch(server.url)).status, 404);
  assert.equal((await fetch(`${server.url}/bolide.js`)).status, 200);
});

browserTest('users who are no admins see none of it', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/admin/settings');
  await sees(page, 'Not found');
  assert.equal(await page.getByRole('link', { name: 'Settings' }).count(), 0);
});
