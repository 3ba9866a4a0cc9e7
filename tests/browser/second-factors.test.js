// Second factors: set up, counted, renewed and turned off; what the user sees, and the effect on other pages.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { BOB, codeAt, nextCode, scan, wrongCode } from './support/authenticator.js';
import { browserTest } from './support/browser.js';
import { mailbox } from './support/mailbox.js';
import { answer, hears, openAs, press, question, sees, signIn } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

/** Sets up an app for alice, who is asked for her password once. */
async function enrol(page, server) {
  await press(page, 'Set up an authenticator app');
  await answer(page, 'correct horse');
  const account = await scan(page.getByAltText('The QR code for your authenticator app'));
  await page.getByLabel('Code', { exact: true }).fill(await nextCode(server, account));
  await press(page, 'Turn on the app');
  await page.getByRole('heading', { name: 'Save these backup codes' }).waitFor();
  return account;
}

async function shownCodes(page) {
  return (await page.locator('.codes').innerText()).split(/\s+/);
}

async function openAsBob(visit, server, path) {
  const page = await visit.open(`${server.url}/#${path}`);
  await signIn(page, 'bob', 'battery staple');
  await answer(page, await nextCode(server, BOB));
  return page;
}

browserTest('an app is set up by QR code or key, and only with a correct code', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  await press(page, 'Set up an authenticator app');
  await question(page).getByText('You have no second factor yet. Enter your password to set up an authenticator app.').waitFor();
  await answer(page, 'wrong');
  await question(page).getByText('That is wrong. Try again.').waitFor();
  await answer(page, 'correct horse');
  const account = await scan(page.getByAltText('The QR code for your authenticator app'));
  assert.equal(await page.locator('code.secret').innerText(), account.secret);
  assert.match(account.label, /alice/);
  await page.getByLabel('Code', { exact: true }).fill(await wrongCode(server, account));
  await press(page, 'Turn on the app');
  await page.getByRole('alert').getByText('That code was wrong.').waitFor();
  await page.getByLabel('Code', { exact: true }).fill(await nextCode(server, account));
  await press(page, 'Turn on the app');
  await page.getByRole('heading', { name: 'Save these backup codes' }).waitFor();
});

browserTest('backup codes are shown once, can be saved, and each is valid once', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  await enrol(page, server);
  const codes = await shownCodes(page);
  assert.equal(new Set(codes).size, 12);

  const download = page.waitForEvent('download');
  await press(page, 'Download');
  assert.deepEqual((await readFile(await (await download).path(), 'utf8')).split(/\s+/).filter(Boolean), codes);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await press(page, 'Copy');
  await hears(page, 'Copied.');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${codes.join('\n')}\n`);

  await page.emulateMedia({ media: 'print' });
  assert.match(await page.locator('body').innerText(), /^Save these backup codes\s/);
  await page.emulateMedia({ media: 'screen' });

  await press(page, 'I have saved them');
  await page.getByText('You have 12 backup codes left.').waitFor();
  assert.ok(!(await page.content()).includes(codes[0]));

  const elsewhere = await visit.open(server.url);
  await signIn(elsewhere, 'alice', 'correct horse');
  await answer(elsewhere, codes[0]);
  await sees(elsewhere, 'Profile');
  await press(elsewhere, 'Sign out');
  await signIn(elsewhere, 'alice', 'correct horse');
  await answer(elsewhere, codes[0]);
  await question(elsewhere).getByText('That is wrong. Try again.').waitFor();
});

browserTest('new backup codes replace the old ones', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  const account = await enrol(page, server);
  const older = await shownCodes(page);
  await press(page, 'I have saved them');
  await press(page, 'Create new backup codes');
  const dialog = page.getByRole('dialog', { name: 'New backup codes' });
  await dialog.getByRole('textbox').fill(await wrongCode(server, account));
  await dialog.getByRole('button', { name: 'Create new codes' }).click();
  await dialog.getByText('That code was wrong.').waitFor();
  await dialog.getByRole('textbox').fill(await nextCode(server, account));
  await dialog.getByRole('button', { name: 'Create new codes' }).click();
  await page.getByRole('heading', { name: 'Save these backup codes' }).waitFor();
  const newer = await shownCodes(page);
  assert.equal(new Set([...older, ...newer]).size, 24);
});

browserTest('the app is turned off with its own code, and other pages show it at once', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAsBob(visit, server, '/account/two-factor');
  const elsewhere = await openAsBob(visit, server, '/account/two-factor');
  await press(page, 'Turn off the app');
  const dialog = page.getByRole('dialog', { name: 'Turn off the authenticator app' });
  await dialog.getByRole('textbox').fill(await nextCode(server, BOB));
  await dialog.getByRole('button', { name: 'Turn off the app' }).click();
  await hears(page, 'The authenticator app was turned off.');
  await elsewhere.getByRole('button', { name: 'Set up an authenticator app' }).waitFor();
});

browserTest('a set-up that was cancelled forgets the password', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  for (let round = 0; round < 2; round++) {
    await press(page, 'Set up an authenticator app');
    await answer(page, 'correct horse');
    await page.getByAltText('The QR code for your authenticator app').waitFor();
    await press(page, 'Cancel');
  }
});

browserTest('a user with a factor is asked for it to change the password', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAsBob(visit, server, '/account');
  await page.getByLabel('Current password').fill('battery staple');
  await page.getByLabel('New password').fill('a better staple');
  await press(page, 'Change the password');
  await question(page).getByText('Enter the code from your authenticator app, or a backup code, to change your password.').waitFor();
  await answer(page, await nextCode(server, BOB));
  await hears(page, 'Your password was changed. All other clients were signed out.');
});

browserTest('setting up an app signs out all other clients', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  const elsewhere = await openAs(visit, server, 'alice', 'correct horse');
  await enrol(page, server);
  await sees(elsewhere, 'Sign in');
});

browserTest('codes by e-mail need a verified address, and a code to turn them off', async (visit) => {
  const mails = await mailbox(visit);
  const server = await conformanceServer(visit, { flags: ['--smtp', mails.url] });
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  await press(page, 'Turn on codes by e-mail');
  await question(page).getByText('Enter your password to turn on codes by e-mail.').waitFor();
  await answer(page, 'correct horse');
  await hears(page, 'Codes by e-mail are on. All other clients were signed out.');
  await press(page, 'Turn off codes by e-mail');
  await question(page).getByText('alice@example.com').waitFor();
  await answer(page, await mails.nextCode('alice@example.com'));
  await hears(page, 'Codes by e-mail are off.');
});

browserTest('the keyboard alone is enough to set up an app', async (visit) => {
  const server = await conformanceServer(visit);
  const page = await openAs(visit, server, 'alice', 'correct horse', '/account/two-factor');
  await page.getByRole('button', { name: 'Set up an authenticator app' }).focus();
  await page.keyboard.press('Enter');
  await question(page).waitFor();
  await page.keyboard.type('correct horse');
  await page.keyboard.press('Enter');
  const account = await scan(page.getByAltText('The QR code for your authenticator app'));
  await page.keyboard.type(await codeAt(await server.passTime(30), account)); // the field has the focus
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Save these backup codes' }).waitFor();
});
