// Settings: changes by an admin take effect at once, on every page.

import assert from 'node:assert/strict';
import { browserTest } from './support/browser.js';
import { answer, hears, openAs, press, question, sees } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

const SIGN_UP = 'Let anyone create an account.';
const REMEMBER = 'How long a client is not asked again after it has passed a second factor';

async function openSettings(visit, server) {
  const page = await openAs(visit, server, 'admin', 'admin password', '/admin/settings');
  await page.getByRole('switch', { name: SIGN_UP }).waitFor();
  return page;
}

browserTest('a changed setting takes effect on other pages without a reload', async (visit) => {
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

browserTest('changes by another admin are shown, and unsaved input is kept', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  const typed = page.getByLabel('How long a login is valid');
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

browserTest('several changes are saved with one prompt, and can be reset to defaults', async (visit) => {
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
  await press(page, 'Save'); // a setting of the second factor asks each time
  await answer(page, 'admin password');
  await hears(page, '1 setting saved.');
});

browserTest('a trusted client is not asked again for a while', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  const signUp = page.getByRole('switch', { name: SIGN_UP });
  const guest = await visit.open(server.url);
  const link = guest.getByRole('link', { name: 'Create an account' });
  await signUp.uncheck();
  await press(page, 'Save');
  await answer(page, 'admin password');
  await link.waitFor({ state: 'hidden' });
  await signUp.check();
  await press(page, 'Save');
  await link.waitFor();
  await server.passTime(301);
  await signUp.uncheck();
  await press(page, 'Save');
  await question(page).waitFor();
});

browserTest('an invalid value is not sent', async (visit) => {
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

browserTest('a setting from the environment is read-only, and its variable is named', async (visit) => {
  process.env.BOLIDE_SETTING_Accounts_LoginExpiration = '7';
  const server = await conformanceServer(visit).finally(() => delete process.env.BOLIDE_SETTING_Accounts_LoginExpiration);
  const page = await openSettings(visit, server);
  const input = page.getByLabel('How long a login is valid');
  assert.equal(await input.isDisabled(), true);
  assert.equal(await input.inputValue(), '7');
  await page.getByText('Set by the environment variable BOLIDE_SETTING_Accounts_LoginExpiration.').waitFor();
});

browserTest('factors that admins turn off are no longer offered', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  await page.getByRole('button', { name: 'Set up an authenticator app' }).waitFor();
  await server.call('setSetting', 'Accounts_TwoFactorAuthentication_By_TOTP_Enabled', false);
  await server.call('setSetting', 'Accounts_TwoFactorAuthentication_By_Email_Enabled', false);
  await page.getByText('An admin has turned off authenticator apps.').waitFor();
  await page.getByText('An admin has turned off codes by e-mail.').waitFor();
});

browserTest('settings are found by description and id', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  await page.getByLabel('Find a setting').fill('loginexpiration_short_roles');
  await page.getByRole('switch', { name: SIGN_UP }).waitFor({ state: 'hidden' });
  assert.equal(await page.locator('.setting:visible').count(), 1);
});

browserTest('the pages can be turned off, with immediate effect', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openSettings(visit, server);
  await page.getByRole('switch', { name: 'Serve the account page and this panel.' }).uncheck();
  await press(page, 'Save');
  await answer(page, 'admin password');
  await hears(page, '1 setting saved.');
  assert.equal((await fetch(server.url)).status, 404);
  assert.equal((await fetch(`${server.url}/bolide.js`)).status, 200);
});

browserTest('users who are not admins do not see the panel', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/admin/settings');
  await sees(page, 'Not found');
  assert.equal(await page.getByRole('link', { name: 'Settings' }).count(), 0);
});
