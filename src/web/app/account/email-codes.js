// Codes by e-mail: on or off.

import { client, currentUser } from '../client.js';
import { element } from '../element.js';
import { action } from '../form.js';
import { publicSetting, watch } from '../live.js';
import { say } from '../messages.js';
import { badge, section } from '../section.js';

const ABOUT = 'A code is sent to your verified addresses when one is needed. An authenticator app is safer, and is asked for first.';

export function emailCodesSection(signal) {
  const made = element('div');
  const update = () => {
    const user = currentUser();
    if (user) made.replaceChildren(emailCodes(user));
  };
  watch(signal, 'users', update);
  watch(signal, 'publicSettings', update);
  return made;
}

function emailCodes(user) {
  const isOn = Boolean(user.twoFactor?.email);
  return section(
    { title: 'Codes by e-mail', state: isOn ? badge('on', 'good') : badge('off'), about: ABOUT },
    isOn ? action('Turn off codes by e-mail', disable) : whileOff(user),
  );
}

function whileOff({ emails = [] }) {
  if (publicSetting('Accounts_TwoFactorAuthentication_By_Email_Enabled') === false)
    return element('p', { class: 'note' }, 'An admin has turned codes by e-mail off.');
  const canBeOn = emails.length > 0 && emails.every(({ verified }) => verified);
  if (canBeOn) return action('Turn on codes by e-mail', enable);
  return element('p', { class: 'note' }, 'First ', element('a', { href: '#/account' }, 'verify your addresses'), '.');
}

async function enable() {
  await client.call('2fa:enable-email');
  say('Codes by e-mail are on. Your other clients were signed out.');
}

async function disable() {
  await client.call('2fa:disable-email');
  say('Codes by e-mail are off.');
}
