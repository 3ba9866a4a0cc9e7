// Backup codes: shown once when they are created; afterwards only their number is shown.

import { client, currentUser, isAdmin } from '../client.js';
import { element } from '../element.js';
import { action } from '../form.js';
import { complain } from '../messages.js';
import { go } from '../address.js';
import { copyButton, downloadButton, printButton } from '../secret.js';

/** Shows the codes, to be saved. `done` is called when the user has saved them. */
export function newBackupCodes(codes, done) {
  const text = `${codes.join('\n')}\n`;
  return element(
    'div',
    { class: 'printed' },
    element('h3', { tabindex: '-1' }, 'Save these backup codes'),
    element(
      'p',
      { class: 'about' },
      `Each code signs ${currentUser().username ?? 'you'} in at ${location.host} once, without the app or the passkey. They will not be shown again.`,
    ),
    element(
      'ul',
      { class: 'codes' },
      codes.map((code) => element('li', {}, element('code', {}, code))),
    ),
    element('div', { class: 'buttons' }, copyButton(text), downloadButton(text, `backup codes of ${location.host}.txt`), printButton()),
    element(
      'div',
      { class: 'buttons' },
      action('I have saved them', done, { class: 'primary' }),
      isAdmin(currentUser()) && action('Go to the admin panel', () => go('/admin/settings')),
    ),
  );
}

export function backupCodesLeft() {
  const left = element('p', { class: 'note' }, ' ');
  client.call('2fa:checkCodesRemaining').then(({ remaining }) => (left.textContent = sentence(remaining)), complain);
  return left;
}

function sentence(remaining) {
  if (remaining === 0) return 'You have no backup codes left. Create new ones.';
  return `You have ${remaining} backup ${remaining === 1 ? 'code' : 'codes'} left.`;
}
