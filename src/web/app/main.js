// The entry point: connects, signs in with a stored token, and shows the page that the address names.

import { client, connect } from './client.js';
import { showFrame, startFrame } from './frame.js';
import { complain } from './messages.js';
import { askForCode } from './prompt.js';
import { showPage } from './router.js';

function show() {
  showPage();
  showFrame();
}

function followUser() {
  client.on('login', (login, error) => {
    show();
    if (error) complain(error);
  });
  client.collection('users').onChange(({ id }) => id === client.userId && show());
}

async function start() {
  startFrame();
  client.onTwoFactor(askForCode);
  client.on('error', (problem) => console.error('The server reports an error', problem));
  client.subscribe('settings:public');
  await connect().catch(complain);
  followUser();
  addEventListener('hashchange', show);
  show();
}

start();
