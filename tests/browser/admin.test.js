// The admin panel: users, roles, methods, collections, sessions, the audit log, and mails that were not sent.

import assert from 'node:assert/strict';
import { BOB, nextCode } from './support/authenticator.js';
import { browserTest } from './support/browser.js';
import { watchItems } from './support/items.js';
import { mailbox } from './support/mailbox.js';
import { answer, confirm, goTo, hears, openAs, press, question, sees, signIn } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

const openPanel = (visit, server, path) => openAs(visit, server, 'admin', 'admin password', path);

async function manage(page, user) {
  await press(page, `Manage ${user}`);
  return page.getByRole('dialog', { name: user });
}

browserTest('after a reset of second factors, the user signs in with the password alone', async (visit) => {
  const server = await conformanceServer(visit);
  const user = await visit.open(server.url);
  await signIn(user, 'bob', 'battery staple');
  await answer(user, await nextCode(server, BOB));
  await sees(user, 'Profile');

  const page = await openPanel(visit, server, '/admin/users');
  const dialog = await manage(page, 'bob');
  await dialog.getByRole('button', { name: 'Reset second factors' }).click();
  await confirm(page, 'Reset');
  await answer(page, 'admin password');
  await hears(page, 'The second factors of bob were reset.');
  await dialog.getByRole('button', { name: 'Reset second factors' }).waitFor({ state: 'detached' });

  await sees(user, 'Sign in');
  await signIn(user, 'bob', 'battery staple');
  await sees(user, 'Profile');
});

browserTest('a user who becomes an admin can open the panel at once', async (visit) => {
  const server = await conformanceServer(visit);
  const user = await openAs(visit, server, 'alice', 'correct horse');
  const page = await openPanel(visit, server, '/admin/users');
  const dialog = await manage(page, 'alice');
  await dialog.getByLabel('admin', { exact: true }).check();
  await dialog.getByRole('button', { name: 'Change the roles' }).click();
  await answer(page, 'admin password');
  await hears(page, 'The roles of alice were changed.');
  await goTo(user, 'Settings');
});

browserTest('a deactivated user is signed out, and cannot sign in until activated again', async (visit) => {
  const server = await conformanceServer(visit);
  const user = await openAs(visit, server, 'alice', 'correct horse');
  const page = await openPanel(visit, server, '/admin/users');
  const dialog = await manage(page, 'alice');
  await dialog.getByRole('button', { name: 'Deactivate' }).click();
  await confirm(page, 'Deactivate');
  await answer(page, 'admin password');
  await hears(page, 'alice was deactivated.');
  await sees(user, 'Sign in');
  await signIn(user, 'alice', 'correct horse');
  await user.getByRole('alert').waitFor();
  await dialog.getByRole('button', { name: 'Activate' }).click();
  await answer(page, 'admin password');
  await hears(page, 'alice can sign in again.');
  await signIn(user, 'alice', 'correct horse');
  await sees(user, 'Profile');
});

browserTest('an admin can sign a user out everywhere', async (visit) => {
  const server = await conformanceServer(visit);
  const user = await openAs(visit, server, 'alice', 'correct horse');
  const page = await openPanel(visit, server, '/admin/users');
  const dialog = await manage(page, 'alice');
  await dialog.getByRole('button', { name: 'Sign out everywhere' }).click();
  await answer(page, 'admin password');
  await hears(page, 'alice was signed out everywhere.');
  await sees(user, 'Sign in');
});

browserTest('an admin can lift the blocks of a user', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/users');
  const dialog = await manage(page, 'alice');
  await dialog.getByRole('button', { name: 'Lift blocks' }).click();
  await answer(page, 'admin password');
  await hears(page, 'alice is not blocked any more for wrong passwords and codes.');
});

browserTest('open dialogs close when the page is left', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/users');
  const dialog = await manage(page, 'alice');
  await dialog.getByRole('button', { name: 'Sign out everywhere' }).click();
  await question(page).waitFor();
  await page.goto(`${server.url}/#/account`);
  await sees(page, 'Profile');
  assert.equal(await page.getByRole('dialog').count(), 0);
});

browserTest('users are found by name, address and role, and new ones appear', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/users');
  await page.getByText('8 users').waitFor();
  await page.getByLabel('Name or address').fill('example.org');
  await page.getByText('1 user', { exact: true }).waitFor();
  await page.getByText('emma', { exact: true }).waitFor();
  await page.getByLabel('Name or address').fill('');
  await page.getByText('8 users').waitFor();
  await page.getByLabel('Role').selectOption('admin');
  await page.getByText('1 user', { exact: true }).waitFor();
  await page.getByLabel('Role').selectOption('');

  const guest = await visit.open(`${server.url}/#/sign-up`);
  await guest.getByLabel('Username').fill('nora');
  await guest.getByLabel('Password', { exact: true }).fill('never seen before');
  await press(guest, 'Create the account');
  await page.getByText('nora', { exact: true }).waitFor();
  await page.getByText('9 users').waitFor();
});

browserTest('users are listed page by page', async (visit) => {
  const server = await conformanceServer(visit);
  const password = { digest: '0'.repeat(64), algorithm: 'sha-256' };
  for (let i = 10; i < 34; i++) await server.call('createUser', { username: `member-${i}`, password });
  const page = await openPanel(visit, server, '/admin/users');
  await page.getByText('1 to 25 of 32 users').waitFor();
  await press(page, 'Next');
  await page.getByText('26 to 32 of 32 users').waitFor();
  assert.equal(await page.getByRole('button', { name: /^Manage/ }).count(), 7);
  await press(page, 'Previous');
  await page.getByText('1 to 25 of 32 users').waitFor();
});

browserTest('users whose role requires a second factor can only set one up', async (visit) => {
  const server = await conformanceServer(visit);
  const user = await openAs(visit, server, 'alice', 'correct horse');
  const page = await openPanel(visit, server, '/admin/roles');
  await page.getByLabel('Name of the role').fill('teller');
  await press(page, 'Require a second factor');
  await answer(page, 'admin password');
  await page.getByText('teller', { exact: true }).waitFor();
  await goTo(page, 'Users');
  const dialog = await manage(page, 'alice');
  await dialog.getByLabel('teller', { exact: true }).check();
  await dialog.getByRole('button', { name: 'Change the roles' }).click();
  await answer(page, 'admin password');
  await hears(page, 'The roles of alice were changed.');

  await user.getByText('Your role requires a second factor.').waitFor();
  await user.getByRole('link', { name: 'Access tokens' }).click();
  await sees(user, 'Second factors');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await goTo(page, 'Roles');
  await press(page, 'Do not require a second factor for teller');
  await answer(page, 'admin password');
  await page.getByText('teller', { exact: true }).waitFor({ state: 'detached' });
  await goTo(user, 'Access tokens');
});

browserTest('every method and endpoint is listed with its policy, and calls are counted', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/methods');
  const row = (name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });
  await row('gatedNoRemember').getByText('every time').waitFor();
  await row('gatedFresh').getByText('at most 60 s old').waitFor();
  await row('gatedNoPassword').getByText('no password fallback').waitFor();
  await row('POST gated').getByText('second factor', { exact: true }).waitFor();
  for (let i = 0; i < 3; i++) await server.call('add', 1, i);
  await assert.rejects(server.call('failWith', 'no', 'reason'));
  await row('add').getByRole('cell', { name: '3', exact: true }).waitFor();
  await row('failWith').getByRole('cell', { name: '1', exact: true }).nth(1).waitFor();
  await page.getByLabel('Order').selectOption('most calls first');
  await page.getByRole('row').nth(1).getByRole('rowheader', { name: 'add', exact: true }).waitFor();
  await page.getByLabel('Only those that require a second factor').check();
  await row('add').waitFor({ state: 'detached' });
});

browserTest('collections are listed with their documents and live queries', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/collections');
  const items = page.getByRole('region', { name: 'items', exact: true });
  await items.getByText('in memory').waitFor();
  await items.getByText('0 documents').waitFor();
  await server.call('insertItem', { name: 'ink' });
  await items.getByText('1 document', { exact: true }).waitFor();
  await items.getByText('14 bytes').waitFor();

  const stop = await watchItems(visit, server);
  await items.getByText('1 live query', { exact: true }).waitFor();
  const live = page.getByRole('region', { name: 'Live queries of items' });
  await live.getByRole('row', { name: 'all documents 1 1 1' }).waitFor();
  await stop();
  await items.getByText('0 live queries').waitFor();
});

browserTest('sessions are listed live as they open and as users sign in and out', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/sessions');
  await page.getByText('1 connection is open on this server.').waitFor();
  const user = await openAs(visit, server, 'alice', 'correct horse');
  await page.getByRole('list').getByText('alice').waitFor();
  await page.getByText('2 connections are open on this server.').waitFor();
  await press(user, 'Sign out');
  await page.getByRole('list').getByText('Not signed in').waitFor();
});

browserTest('the audit log shows new and older events, and can be filtered', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/audit');
  const guest = await visit.open(server.url);
  await signIn(guest, 'alice', 'wrong');
  await page.getByText('login.failed', { exact: true }).waitFor();
  await page.getByLabel('Event').fill('login.succeeded');
  await page.getByText('login.failed', { exact: true }).waitFor({ state: 'detached' });
  await page.getByText('login.succeeded').first().waitFor();
  for (let i = 0; i < 60; i++) await server.call('createUser', { username: `member-${i}` });
  await page.getByLabel('Event').fill('user.created');
  await page.getByText('user.created').nth(49).waitFor();
  await press(page, 'Show older');
  await page.getByText('user.created').nth(59).waitFor();
  await page.getByLabel('Event').fill('');
  await page.getByLabel('User').fill('alice');
  await page.getByText('user.created').first().waitFor({ state: 'detached' });
  await page.getByText('login.failed', { exact: true }).waitFor();
});

browserTest('a rejected mail is shown with the reason, and can be retried or discarded', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  mails.refuse(true);
  const page = await openPanel(visit, server, '/admin/mail');
  await page.getByText('All mails were sent.').waitFor();
  await server.call('forgotPassword', { email: 'alice@example.com' });
  await page.getByText('No such user').waitFor();
  mails.refuse(false);
  await page.getByRole('button', { name: /^Send now/ }).click();
  await answer(page, 'admin password');
  await mails.next('alice@example.com');
  await page.getByText('All mails were sent.').waitFor();

  mails.refuse(true);
  await server.call('forgotPassword', { email: 'bob@example.com' });
  await page.getByText('No such user').waitFor();
  await page.getByRole('button', { name: /^Discard/ }).click();
  await confirm(page, 'Discard');
  await page.getByText('All mails were sent.').waitFor();
});

browserTest('a dangerous change requires a second factor', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/users');
  const dialog = await manage(page, 'alice');
  await dialog.getByRole('button', { name: 'Deactivate' }).click();
  await confirm(page, 'Deactivate');
  await question(page).getByRole('button', { name: 'Cancel' }).click();
  await question(page).waitFor({ state: 'detached' });
  await dialog.getByRole('button', { name: 'Deactivate' }).waitFor();
});
