// The user's name, address and password.

import { browserTest } from './support/browser.js';
import { mailbox } from './support/mailbox.js';
import { answer, goTo, hears, openAs, press, sees, signIn } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

browserTest('a changed username appears on all pages of the user', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse');
  const elsewhere = await openAs(visit, server, 'alice', 'correct horse');
  await page.getByLabel('Username').fill('alicia');
  await press(page, 'Change the username');
  await hears(page, 'Your username was changed.');
  await elsewhere.getByRole('banner').getByText('alicia').waitFor();
});

browserTest('a new address requires a second factor and is verified by a link', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  const page = await openAs(visit, server, 'alice', 'correct horse');
  await page.getByLabel('New e-mail address').fill('alice@example.net');
  await press(page, 'Change the address');
  await answer(page, 'correct horse');
  await page.getByText('alice@example.net').waitFor();
  await page.getByText('not verified').waitFor();
  await mails.nextLink('alice@example.net'); // sent by itself
  await press(page, 'Verify alice@example.net');
  const elsewhere = await visit.open(`${server.url}/${await mails.nextLink('alice@example.net')}`);
  await press(elsewhere, 'Verify the address');
  await page.getByText('verified', { exact: true }).waitFor();
});

browserTest('a new password removes tokens for programs unless they are to be kept', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse');
  await goTo(page, 'Access tokens');
  await page.getByLabel('Name', { exact: true }).fill('backup');
  await press(page, 'Create token');
  await answer(page, 'correct horse');
  await page.getByRole('heading', { name: 'The token “backup”' }).waitFor();
  await goTo(page, 'Profile');
  const change = async (old, password, endsTokens) => {
    await page.getByLabel('Current password').fill(old);
    await page.getByLabel('New password').fill(password);
    await page.getByLabel('Remove my tokens for programs too').setChecked(endsTokens);
    await press(page, 'Change the password');
    await hears(page, 'Your password was changed. All other clients were signed out.');
  };
  await change('correct horse', 'a better horse', false);
  await goTo(page, 'Access tokens');
  await page.getByText('backup', { exact: true }).waitFor();
  await goTo(page, 'Profile');
  await change('a better horse', 'the best horse', true);
  await goTo(page, 'Access tokens');
  await page.getByText('You have no tokens.').waitFor();
});

browserTest('a new password takes effect and ends the other sessions', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse');
  const elsewhere = await openAs(visit, server, 'alice', 'correct horse');
  await page.getByLabel('Current password').fill('wrong');
  await page.getByLabel('New password').fill('a better horse');
  await press(page, 'Change the password');
  await page.getByRole('alert').getByText('Something went wrong. Please check your credentials.').waitFor();
  await page.getByLabel('Current password').fill('correct horse');
  await press(page, 'Change the password');
  await hears(page, 'Your password was changed. All other clients were signed out.');
  await sees(elsewhere, 'Sign in');
  await signIn(elsewhere, 'alice', 'a better horse');
  await sees(elsewhere, 'Profile');
});
