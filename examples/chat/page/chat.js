// The page: signing in, then the rooms and the open one.

import { attempt, client, connect, onSubmit } from './client.js';
import { askForCode } from './prompt.js';
import { showRooms } from './rooms.js';

const signIn = document.getElementById('sign-in');
const chat = document.getElementById('chat');

client.onTwoFactor(askForCode);
client.on('login', (login) => {
  if (!login) location.reload();
  else if (chat.hidden) enter();
});

onSubmit(signIn, ({ user, password }, button) => {
  if (button.value === 'sign-up') return client.loginBy('createUser', { username: user, password });
  return client.loginWithPassword({ user, password });
});
document.getElementById('sign-out').addEventListener('click', () => attempt(() => client.logout()));

await connect();
signIn.hidden = client.userId !== null;

function enter() {
  signIn.hidden = true;
  chat.hidden = false;
  showRooms();
}
