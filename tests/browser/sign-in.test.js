// Signing in and out, with and without a second factor; creating accounts and resetting passwords.

import assert from 'node:assert/strict';
import { BOB, nextCode, wrongCode } from './support/authenticator.js';
import { browserTest } from './support/browser.js';
import { mailbox } from './support/mailbox.js';
import { answer, goTo, hears, openAs, press, question, sees, signIn } from './support/pages.js';
import { conformanceServer, post } from './support/programs.js';

browserTest('a wrong password is rejected and a correct one accepted', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await visit.open(server.url);
  await signIn(page, 'alice', 'wrong');
  await page.getByRole('alert').getByText('Something went wrong. Please check your credentials.').waitFor();
  await signIn(page, 'alice@example.com', 'correct horse');
  await sees(page, 'Profile');
  await press(page, 'Sign out');
  await sees(page, 'Sign in');
});

browserTest('a page that needs a login is shown after signing in', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/tokens');
  await sees(page, 'Access tokens');
  await page.goto(`${server.url}/#/admin/users`);
  await sees(page, 'Not found');
});

browserTest('a login survives a reload, and opens new tabs only with "stay signed in"', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse');
  await page.reload();
  await sees(page, 'Profile');
  const beside = await visit.openBeside(page, server.url);
  await signIn(beside, 'alice', 'correct horse', { stay: true });
  await sees(beside, 'Profile');
  await sees(await visit.openBeside(page, server.url), 'Profile');
});

browserTest('signing out removes the token from the browser and invalidates it', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse');
  const token = await page.evaluate(() => sessionStorage.getItem('bolide.token'));
  await press(page, 'Sign out');
  await sees(page, 'Sign in');
  assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
  const login = await post(server.url, 'login', { resume: token });
  assert.equal(login.status, 401);
});

browserTest('an authenticator code is asked for until it is correct', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await visit.open(server.url);
  await signIn(page, 'bob', 'battery staple');
  await answer(page, await wrongCode(server, BOB));
  await question(page).getByRole('alert').getByText('That is wrong. Try again.').waitFor();
  await answer(page, await nextCode(server, BOB));
  await sees(page, 'Profile');
});

browserTest('cancelling the prompt for a code returns to the form', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await visit.open(server.url);
  await signIn(page, 'bob', 'battery staple');
  await question(page).getByRole('button', { name: 'Cancel' }).click();
  await sees(page, 'Sign in');
  assert.equal(await page.getByRole('alert').count(), 0);
  assert.equal(await page.getByLabel('Username or e-mail address').inputValue(), 'bob');
});

browserTest('a code is sent by mail, and another one on request', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  const page = await visit.open(server.url);
  await signIn(page, 'emma', 'envelope please');
  await question(page).waitFor();
  const first = await mails.nextCode('emma@example.com');
  await press(page, 'Send another code');
  await question(page).getByText('Sent', { exact: true }).waitFor();
  const second = await mails.nextCode('emma@example.com');
  assert.notEqual(first, second);
  await answer(page, second);
  await sees(page, 'Profile');
});

browserTest('a new user is signed in, and verifies the address by a link', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  const page = await visit.open(server.url);
  await page.getByRole('link', { name: 'Create an account' }).click();
  await page.getByLabel('Username').fill('nora');
  await page.getByLabel('E-mail address').fill('nora@example.com');
  await page.getByLabel('Password', { exact: true }).fill('never seen before');
  await press(page, 'Create the account');
  await sees(page, 'Second factors');
  const link = await mails.nextLink('nora@example.com');
  // A mail scanner opens links too; only the button verifies.
  const elsewhere = await visit.open(`${server.url}/${link}`);
  await elsewhere.getByRole('button', { name: 'Verify the address' }).waitFor();
  assert.equal(new URL(elsewhere.url()).hash, '#/verify-email');
  await page.getByRole('link', { name: 'Profile' }).click();
  await page.getByText('not verified', { exact: true }).waitFor();
  await press(elsewhere, 'Verify the address');
  await elsewhere.getByText('Your address is verified.').waitFor();
  await page.getByRole('link', { name: 'Profile' }).click();
  await page.getByText('verified', { exact: true }).waitFor();
});

browserTest('a link resets a forgotten password once', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  const page = await visit.open(server.url);
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await page.getByLabel('E-mail address').fill('alice@example.com');
  await press(page, 'Send the link');
  await hears(page, 'If there is an account with this address, a mail was sent to it.');

  const link = await mails.nextLink('alice@example.com');
  await page.goto(`${server.url}/${link}`);
  await page.getByLabel('New password').fill('a better horse');
  assert.equal(new URL(page.url()).hash, '#/reset-password');
  await press(page, 'Set the password');
  await sees(page, 'Second factors');

  const late = await visit.open(`${server.url}/${link}`);
  await late.getByLabel('New password').fill('somebody else');
  await press(late, 'Set the password');
  await late.getByRole('alert').getByText('Token expired.').waitFor();
});

browserTest('after a reset by link, users with a second factor sign in with it', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  const page = await visit.open(`${server.url}/#/forgot-password`);
  await page.getByLabel('E-mail address').fill('bob@example.com');
  await press(page, 'Send the link');
  await page.goto(`${server.url}/${await mails.nextLink('bob@example.com')}`);
  await page.getByLabel('New password').fill('a better battery');
  await press(page, 'Set the password');
  await hears(page, 'Your password was changed. Sign in with the new password.');
  await signIn(page, 'bob', 'a better battery');
  await answer(page, await nextCode(server, BOB));
  await sees(page, 'Profile');
});

browserTest('a page resumes its session after a lost connection', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await visit.open('about:blank');
  const greetings = [];
  let breakConnection;
  await page.routeWebSocket(/\/websocket$/, (client) => {
    const upstream = client.connectToServer();
    client.onMessage((text) => {
      if (text.includes('"msg":"connect"')) greetings.push(JSON.parse(text));
      upstream.send(text);
    });
    breakConnection = () => Promise.all([client.close(), upstream.close()]);
  });
  await page.goto(server.url);
  await signIn(page, 'alice', 'correct horse');
  await sees(page, 'Profile');
  await page.getByLabel('New e-mail address').fill('half typed');
  await breakConnection();
  await page.getByRole('banner').getByText('alice', { exact: true }).waitFor();
  while (greetings.length < 2) await page.waitForTimeout(20);
  assert.equal(typeof greetings[1].session, 'string');
  assert.equal(await page.getByLabel('New e-mail address').inputValue(), 'half typed');
  await goTo(page, 'Access tokens');
  await page.getByText('You have no tokens.').waitFor();
});
