// The connection to the server, and what happens if an action fails.

import { DdpClient } from './bolide/bolide.js';

export const client = new DdpClient();

/** The key under which the account page keeps its token too: who is signed in here is signed in there. */
const KEY = 'bolide.token';

client.on('login', (login) => (login ? sessionStorage.setItem(KEY, login.token) : sessionStorage.removeItem(KEY)));
addEventListener('online', () => client.reconnectNow());

/** Connects, and signs in as the user who was signed in before the page was loaded. */
export async function connect() {
  await client.connect();
  const token = sessionStorage.getItem(KEY);
  if (token) await client.loginWithToken(token).catch(() => sessionStorage.removeItem(KEY));
}

/** The errors of actions that the user has given up. */
const GIVEN_UP = ['totp-canceled', 'subscription-stopped'];

/** Runs an action, and shows why it failed. */
export async function attempt(action) {
  const problem = document.getElementById('problem');
  try {
    problem.textContent = '';
    await action();
  } catch (error) {
    if (!GIVEN_UP.includes(error.error)) problem.textContent = error.reason ?? error.message;
  }
}

/** Runs `action` with the fields of a form when it is sent. */
export function onSubmit(form, action) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    attempt(() => action(Object.fromEntries(new FormData(form)), event.submitter));
  });
}
