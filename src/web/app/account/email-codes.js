// Codes by e-mail: on or off. They require a verified address.

import { client, currentUser } from '../client.js';
import { element } from '../element.js';
import { action } from '../form.js';
import { publicSetting, watch } from '../live.js';
import { badge, section } from '../section.js';
import { say } from '../messages.js';
import { verifyButton } from './verify-button.js';

const ABOUT = 'When a code is needed, it is sent to your verified addresses. An authenticator app is safer, and takes precedence.';

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
  const note = (text) => element('p', { class: 'note' }, text);
  if (publicSetting('Accounts_TwoFactorAuthentication_By_Email_Enabled') === false) return note('An admin has turned off codes by e-mail.');
  if (emails.length === 0) return note('You have no e-mail address. Add one to your profile.');
  const unverified = emails.filter(({ verified }) => !verified);
  if (unverified.length === 0) return action('Turn on codes by e-mail', enable);
  return [
    note('Verify your address first.'),
    element(
      'div',
      { class: 'buttons' },
      unverified.map(({ address }) => verifyButton(address)),
    ),
  ];
}

async function enable() {
  await client.call('2fa:enable-email');
  say('Codes by e-mail are on. All other clients were signed out.');
}

async function disable() {
  await client.call('2fa:disable-email');
  say('Codes by e-mail are off.');
}
