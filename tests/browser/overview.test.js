// The overview of admins: what is wrong, the charts, and slow calls; and what admins do from the lists of users and sessions.

import assert from 'node:assert/strict';
import { browserTest } from './support/browser.js';
import { mailbox } from './support/mailbox.js';
import { answer, confirm, goTo, hears, openAs, press, sees, signIn } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

const openPanel = (visit, server, path) => openAs(visit, server, 'admin', 'admin password', path);

browserTest('an admin who signs in sees the overview first', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await visit.open(server.url);
  await signIn(page, 'admin', 'admin password');
  await sees(page, 'Overview');
  await page.getByText('Admins without a second factor: admin.').waitFor();
  await page.getByRole('link', { name: /^Look at it: Admins without/ }).click();
  await sees(page, 'Roles');
});

browserTest('the charts follow what the server does', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/overview');
  const chart = (name) => page.getByRole('img', { name });
  await chart(/^Connections in the last 15 minutes/).waitFor();
  for (let i = 0; i < 30; i++) await server.call('add', 1, i);
  await chart(/^Calls a second in the last 15 minutes: now ended [\d.]+; up to ([1-9]|\d+\.[1-9])/).waitFor();
  await chart(/^Connections in the last 15 minutes: now open 1; up to 1$/).waitFor();
  const points = await chart(/^Calls a second/).locator('polyline').getAttribute('points');
  assert.match(points, /^\d+,[\d.]+( \d+,[\d.]+)+$/);
});

browserTest('slow calls are listed with their method and duration', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/overview');
  await page.getByText('No call was slow.').waitFor();
  await server.call('sleep', 1100);
  await page.getByRole('row', { name: /^sleep not signed in .* 1,\d\d\d ms$/ }).waitFor();
});

browserTest('a mail server that refuses mails is a problem until they are sent', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  mails.refuse(true);
  const page = await openPanel(visit, server, '/admin/overview');
  await server.call('forgotPassword', { email: 'alice@example.com' });
  await page.getByText(/^Mails that could not be sent: 1\. The last attempt: .*No such user/).waitFor();
  await page.getByRole('link', { name: /^Look at it: Mails/ }).click();
  await sees(page, 'Mail queue');
  await page.getByRole('button', { name: /^Discard/ }).click();
  await confirm(page, 'Discard');
  await answer(page, 'admin password');
  await goTo(page, 'Overview');
  await page.getByText('Admins without a second factor: admin.').waitFor();
  assert.equal(await page.getByText(/^Mails that/).count(), 0);
});

browserTest('an admin adds a user, who signs in', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openPanel(visit, server, '/admin/users');
  await press(page, 'Add a user');
  const dialog = page.getByRole('dialog', { name: 'Add a user' });
  await dialog.getByLabel('Username').fill('nora');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await answer(page, 'admin password');
  await dialog.getByText('Set a password, or an e-mail address to which a link is sent.').waitFor();
  await dialog.getByLabel('Password', { exact: true }).fill('never seen before');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await answer(page, 'admin password');
  await hears(page, 'nora was added.');
  await page.getByText('nora', { exact: true }).waitFor();
  await openAs(visit, server, 'nora', 'never seen before');
});

browserTest('an admin ends one session of a user', async (visit) => {
  const server = await conformanceServer(visit);
  const user = await openAs(visit, server, 'alice', 'correct horse');
  const page = await openPanel(visit, server, '/admin/sessions');
  await press(page, 'End a session of alice');
  await confirm(page, 'End');
  await answer(page, 'admin password');
  await hears(page, 'The session of alice has ended.');
  await sees(user, 'Sign in');
});
