// Passkeys in Chromium, with its virtual authenticators: registered, shown, and refused.

import assert from 'node:assert/strict';
import { nextCode, BOB } from './support/authenticator.js';
import { browserTest } from './support/browser.js';
import { answer, confirm, hears, openAs, press, question, sees, signIn } from './support/pages.js';
import { conformanceServer } from './support/programs.js';

const PLATFORM = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true };

/** Starts the conformance server, whose passkeys belong to `localhost`. */
async function server(visit) {
  const started = await conformanceServer(visit);
  return { ...started, url: started.url.replace('127.0.0.1', 'localhost'), byNumber: started.url };
}

/** Gives a page an authenticator, which answers without a person. */
async function withAuthenticator(page, options = PLATFORM) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const added = await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { ...options, automaticPresenceSimulation: true } });
  const { authenticatorId } = added;
  const send = (command, parameters = {}) => devtools.send(`WebAuthn.${command}`, { authenticatorId, ...parameters });
  const credentials = async () => (await send('getCredentials')).credentials;
  return { send, credentials };
}

/** Keeps the page from offering passkeys in the field for the username, which a virtual authenticator takes at once. */
const withoutOffers = (page) => page.evaluate(() => (PublicKeyCredential.isConditionalMediationAvailable = async () => false) && undefined);

/** Signs alice in, and registers a passkey for her. Resolves to the page, the authenticator and her backup codes. */
async function register(visit, at, options) {
  const page = await openAs(visit, at, 'alice', 'correct horse', '/account/two-factor');
  const authenticator = await withAuthenticator(page, options);
  await press(page, 'Add a passkey');
  await answer(page, 'correct horse');
  await page.getByRole('heading', { name: 'Save these backup codes' }).waitFor();
  const codes = (await page.locator('.codes').innerText()).split(/\s+/);
  await press(page, 'I have saved them');
  return { page, authenticator, codes };
}

/** Creates a token, which asks for a second factor each time. */
async function createToken(page, url, name) {
  await page.goto(`${url}/#/account/tokens`);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await press(page, 'Create token');
}

const isThere = (page, name) => page.getByRole('heading', { name: `The token “${name}”` }).waitFor();

browserTest('a passkey is added with the password, shown by itself at calls and logins, and removed', async (visit) => {
  const at = await server(visit);
  const { page, authenticator, codes } = await register(visit, at);
  assert.equal(codes.length, 12);
  assert.equal((await authenticator.credentials()).length, 1);
  await createToken(page, at.url, 'first');
  await isThere(page, 'first');

  await withoutOffers(page);
  await press(page, 'Sign out');
  await signIn(page, 'alice', 'correct horse');
  await sees(page, 'Access tokens');

  await page.goto(`${at.url}/#/account/two-factor`);
  await page.getByRole('button', { name: /^Rename/ }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('My laptop');
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('button', { name: 'Remove My laptop' }).click();
  await confirm(page, 'Remove');
  await hears(page, 'The passkey “My laptop” was removed.');
  await createToken(page, at.url, 'second');
  await question(page).getByText('You have no second factor yet.').waitFor();
});

browserTest('a passkey signs in alone, by the button or chosen in the field for the username', async (visit) => {
  const at = await server(visit);
  const { page } = await register(visit, at);
  // The virtual authenticator chooses as soon as it is offered a choice, so the page is shown for a moment only.
  await page.evaluate(() => {
    const look = () => (globalThis.hasSeen ||= document.querySelector('h1')?.textContent === 'Sign in');
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await press(page, 'Sign out');
  await page.waitForFunction(() => globalThis.hasSeen && document.querySelector('h1')?.textContent === 'Second factors');
  await withoutOffers(page);
  await press(page, 'Sign out');
  await press(page, 'Sign in with a passkey');
  await sees(page, 'Second factors');
});

browserTest('an authenticator that cannot verify its user is a second factor, and does not sign in alone', async (visit) => {
  const at = await server(visit);
  const { page } = await register(visit, at, { ...PLATFORM, hasUserVerification: false, isUserVerified: false });
  await createToken(page, at.url, 'by touch');
  await isThere(page, 'by touch');
  await withoutOffers(page);
  await press(page, 'Sign out');
  await press(page, 'Sign in with a passkey');
  await page.getByText('No passkey was used.').first().waitFor();
});

browserTest('a security key that must be touched is registered and shown', async (visit) => {
  const at = await server(visit);
  const { page } = await register(visit, at, { protocol: 'u2f', transport: 'usb' });
  await createToken(page, at.url, 'by key');
  await isThere(page, 'by key');
});

browserTest('a page at another origin does not use passkeys, and asks for a backup code', async (visit) => {
  const at = await server(visit);
  const { codes } = await register(visit, at);
  const elsewhere = await visit.open(at.byNumber);
  await withAuthenticator(elsewhere);
  await signIn(elsewhere, 'alice', 'correct horse');
  await answer(elsewhere, codes[0]);
  await sees(elsewhere, 'Profile');
  assert.equal(await elsewhere.getByRole('button', { name: 'Add a passkey' }).count(), 0);
});

browserTest('a browser without the passkey asks for a backup code, and one with the synced passkey does not', async (visit) => {
  const at = await server(visit);
  const { authenticator, codes } = await register(visit, at);
  const [credential] = await authenticator.credentials();
  const second = await visit.open(at.url);
  const empty = await withAuthenticator(second);
  await signIn(second, 'alice', 'correct horse');
  await question(second).getByText('or a backup code').waitFor();
  await answer(second, codes[0]);
  await sees(second, 'Profile');
  await empty.send('addCredential', { credential });
  await createToken(second, at.url, 'synced');
  await isThere(second, 'synced');
});

browserTest('a copy of an authenticator whose counter is behind is refused', async (visit) => {
  const at = await server(visit);
  const { page, authenticator, codes } = await register(visit, at);
  const [old] = await authenticator.credentials();
  for (const name of ['one', 'two']) {
    await createToken(page, at.url, name);
    await isThere(page, name);
  }
  await authenticator.send('clearCredentials');
  await authenticator.send('addCredential', { credential: { ...old, signCount: 0 } });
  await createToken(page, at.url, 'copied');
  await question(page).getByText('That is wrong. Try again.').waitFor();
  await answer(page, codes[0]);
  await isThere(page, 'copied');
});

browserTest('a passkey that the device has lost leaves the backup codes, and the button of the prompt tries it again', async (visit) => {
  const at = await server(visit);
  const { page, authenticator } = await register(visit, at);
  const [credential] = await authenticator.credentials();
  await authenticator.send('clearCredentials');
  await createToken(page, at.url, 'found again');
  await question(page).getByText('Use your passkey, or enter a backup code').waitFor();
  await authenticator.send('addCredential', { credential });
  await question(page).getByRole('button', { name: 'Use a passkey' }).click();
  await isThere(page, 'found again');
});

browserTest('a user with an app keeps it beside the passkey', async (visit) => {
  const at = await server(visit);
  const page = await visit.open(`${at.url}/#/account/two-factor`);
  await signIn(page, 'bob', 'battery staple');
  await answer(page, await nextCode(at, BOB));
  await page.getByRole('button', { name: 'Sign out', exact: true }).waitFor();
  await page.goto(`${at.url}/#/account/two-factor`);
  await withAuthenticator(page);
  await press(page, 'Add a passkey');
  await answer(page, await nextCode(at, BOB));
  await hears(page, 'was added');
  const elsewhere = await visit.open(at.byNumber);
  await signIn(elsewhere, 'bob', 'battery staple');
  await answer(elsewhere, await nextCode(at, BOB));
  await sees(elsewhere, 'Profile');
});
