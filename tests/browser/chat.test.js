// The example `chat`, as two users see it.

import assert from 'node:assert/strict';
import { browserTest } from './support/browser.js';
import { press } from './support/pages.js';
import { chatServer } from './support/programs.js';

const PASSWORD = 'staple battery 7';

/** Opens the chat as a new user. */
async function signUp(visit, { url }, user) {
  const page = await visit.open(url);
  await page.getByLabel('Username').fill(user);
  await page.getByLabel('Password').fill(PASSWORD);
  await press(page, 'Sign up');
  await page.getByRole('heading', { name: 'Rooms' }).waitFor();
  return page;
}

/** Opens the chat as two users in one room, which the first of them has made. */
async function signUpTwo(visit, server) {
  const [ada, bob] = [await signUp(visit, server, 'ada'), await signUp(visit, server, 'bob')];
  await ada.getByLabel('Name of a new room').fill('Engines');
  await press(ada, 'Create');
  await ada.getByRole('heading', { name: 'Engines' }).waitFor();
  await press(bob, 'Engines');
  return [ada, bob];
}

async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await press(page, 'Send');
}

function messages(page) {
  return page.getByRole('list', { name: 'Messages' }).getByRole('listitem');
}

/** Waits until exactly these texts are shown, in this order. */
async function reads(page, texts) {
  const shown = () => messages(page).locator('span').allTextContents();
  await until(async () => assert.deepEqual(await shown(), texts));
}

/** Repeats a check until it passes. */
async function until(check, patience = 100) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt === patience) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Returns the texts of messages with numbers. */
function numbered(from, to) {
  return Array.from({ length: to - from + 1 }, (_, place) => `message ${from + place}`);
}

browserTest('two users see the messages of each other, and who is typing', async (visit) => {
  const server = await chatServer(visit);
  const [ada, bob] = await signUpTwo(visit, server);
  await say(ada, 'Is it warm?');
  await bob.getByText('Is it warm?').waitFor();
  await bob.getByLabel('Message', { exact: true }).pressSequentially('It');
  await ada.getByText('bob is typing …').waitFor();
  await ada.getByLabel('Message', { exact: true }).pressSequentially('Is it?');
  await until(async () => assert.equal(await bob.getByRole('status').textContent(), 'ada is typing …'));
  await say(bob, 'It is hot.');
  for (const page of [ada, bob]) await reads(page, ['Is it warm?', 'It is hot.']);
  await until(async () => assert.equal(await ada.getByText('is typing').count(), 0));
});

browserTest('the newest 50 messages stay 50, and older ones are shown on demand', async (visit) => {
  const server = await chatServer(visit);
  const [ada, bob] = await signUpTwo(visit, server);
  for (const text of numbered(1, 52)) {
    await say(ada, text);
    await ada.getByText(text, { exact: true }).waitFor();
  }
  for (const page of [ada, bob]) await reads(page, numbered(3, 52));
  await press(bob, 'Older messages');
  await reads(bob, numbered(1, 52));
  await say(bob, 'message 53');
  await reads(bob, numbered(1, 53));
  await reads(ada, numbered(4, 53));
});

browserTest('messages are there again after a reload and after a restart of the server', async (visit) => {
  const server = await chatServer(visit);
  const [ada, bob] = await signUpTwo(visit, server);
  await say(ada, 'Keep this.');
  await bob.getByText('Keep this.').waitFor();
  await bob.reload();
  await press(bob, 'Engines');
  await reads(bob, ['Keep this.']);
  await server.restart();
  await bob.reload();
  await press(bob, 'Engines');
  await say(bob, 'It was kept.');
  for (const page of [ada, bob]) await reads(page, ['Keep this.', 'It was kept.']);
  // The browsers complain about the server that was away.
  visit.complaints = visit.complaints.filter((complaint) => !complaint.includes('ERR_CONNECTION_REFUSED'));
});

browserTest('a room is removed by who has made it, with a second factor', async (visit) => {
  const server = await chatServer(visit);
  const [ada, bob] = await signUpTwo(visit, server);
  await say(bob, 'Still here.');
  assert.equal(await bob.getByRole('button', { name: 'Remove room' }).count(), 0);
  await press(ada, 'Remove room');
  await ada.getByLabel('Your password').fill('wrong');
  await press(ada, 'Continue');
  await ada.getByLabel('That is wrong. Your password').fill(PASSWORD);
  await press(ada, 'Continue');
  for (const page of [ada, bob]) {
    await until(async () => assert.equal(await page.getByRole('button', { name: 'Engines' }).count(), 0));
    assert.equal(await messages(page).count(), 0);
  }
});
