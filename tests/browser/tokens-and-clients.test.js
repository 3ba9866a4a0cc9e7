// Personal access tokens and signed-in clients: created, shown and revoked. The methods here ask for a second factor.

import assert from 'node:assert/strict';
import { BOB, nextCode, wrongCode } from './support/authenticator.js';
import { browserTest } from './support/browser.js';
import { answer, confirm, hears, openAs, press, question, sees, signIn } from './support/pages.js';
import { conformanceServer, post } from './support/programs.js';

async function openAsBob(visit, server, path) {
  const page = await visit.open(`${server.url}/#${path}`);
  await signIn(page, 'bob', 'battery staple');
  await answer(page, await nextCode(server, BOB));
  await page.getByRole('navigation').getByRole('link', { name: 'Profile' }).waitFor();
  return page;
}

async function makeToken(page, name) {
  await page.getByLabel('Name').fill(name);
  await press(page, 'Create token');
}

/** Returns the status of a REST call with this token. */
async function statusWith(server, token, userId, endpoint = 'gated') {
  const answer = await post(server.url, endpoint, {}, { 'x-auth-token': token, 'x-user-id': userId });
  return answer.status;
}

browserTest('a gated call asks again after a wrong code and runs after a correct one', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAsBob(visit, server, '/account/tokens');
  await makeToken(page, 'backup script');
  await question(page).getByText('to create a token').waitFor();
  await answer(page, await wrongCode(server, BOB));
  await question(page).getByText('That is wrong. Try again.').waitFor();
  await answer(page, await nextCode(server, BOB));
  await page.getByRole('heading', { name: 'The token “backup script”' }).waitFor();
});

browserTest('each token asks for a code, from a trusted client too', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAsBob(visit, server, '/account/tokens');
  await makeToken(page, 'first');
  await answer(page, await nextCode(server, BOB));
  await page.getByRole('heading', { name: 'The token “first”' }).waitFor();
  await makeToken(page, 'second');
  await answer(page, await nextCode(server, BOB));
  await page.getByRole('heading', { name: 'The token “second”' }).waitFor();
});

browserTest('cancelling a prompt changes nothing and keeps the form', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAsBob(visit, server, '/account/tokens');
  await makeToken(page, 'never mind');
  await question(page).waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('You have no tokens.').waitFor();
  assert.equal(await page.getByLabel('Name').inputValue(), 'never mind');
});

browserTest('users without a second factor are asked for their password', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/tokens');
  await makeToken(page, 'laptop');
  await question(page).getByText('You have no second factor yet. Enter your password to create a token.').waitFor();
  await answer(page, 'correct horse');
  await page.getByRole('heading', { name: 'The token “laptop”' }).waitFor();
});

browserTest('a token is shown once, and works until it is regenerated or revoked', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/tokens');
  await makeToken(page, 'laptop');
  await answer(page, 'correct horse');
  const first = await page.locator('code.secret').innerText();
  assert.equal(await statusWith(server, first, 'user-alice'), 400); // asked for a second factor
  await press(page, 'I have saved it');
  assert.ok(!(await page.content()).includes(first));
  await page.reload();
  await page.getByText('laptop').waitFor();
  assert.ok(!(await page.content()).includes(first));

  await press(page, 'Regenerate laptop');
  await confirm(page, 'Regenerate');
  await answer(page, 'correct horse');
  await page.getByRole('heading', { name: 'The token “laptop”' }).waitFor();
  const second = await page.locator('code.secret').innerText();
  assert.equal(await statusWith(server, first, 'user-alice'), 401);
  assert.equal(await statusWith(server, second, 'user-alice'), 400);

  await press(page, 'Revoke laptop');
  await confirm(page, 'Revoke');
  await answer(page, 'correct horse');
  await page.getByText('You have no tokens.').waitFor();
  assert.equal(await statusWith(server, second, 'user-alice'), 401);
});

browserTest('creating a bypass token shows a warning', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/tokens');
  await page.getByLabel('Never ask for a second factor').check();
  await page.getByText('Such a token allows everything that you can do').waitFor();
  await makeToken(page, 'robot');
  await confirm(page, 'Create it anyway');
  await answer(page, 'correct horse');
  const token = await page.locator('code.secret').innerText();
  assert.equal(await statusWith(server, token, 'user-alice'), 200);
  await page.getByText('bypasses the second factor').waitFor();
});

browserTest('the clients of a user are listed live', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/clients');
  await page.getByText('this client').waitFor();
  const phone = await openAs(visit, server, 'alice', 'correct horse', '/account/clients', {
    userAgent: 'Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0',
  });
  await page.getByText('Firefox on Android').waitFor();
  await press(page, 'Sign out Firefox on Android');
  await hears(page, 'Firefox on Android was signed out.');
  await sees(phone, 'Sign in');
  assert.equal(await page.getByText('Firefox on Android', { exact: true }).count(), 0);
});

browserTest('all other clients are signed out at once', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/clients');
  const others = [await openAs(visit, server, 'alice', 'correct horse'), await openAs(visit, server, 'alice', 'correct horse')];
  await press(page, 'Sign out all others');
  await confirm(page, 'Sign them out');
  for (const other of others) await sees(other, 'Sign in');
  await sees(page, 'Signed-in clients');
});
