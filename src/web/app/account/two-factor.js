// The user's second factors: an authenticator app with its backup codes, and codes by e-mail.

import { client, currentUser, hasSecondFactor } from '../client.js';
import { element } from '../element.js';
import { action } from '../form.js';
import { watch } from '../live.js';
import { say } from '../messages.js';
import { badge, section } from '../section.js';
import { authenticatorSection } from './authenticator.js';

export function twoFactorPage({ signal }) {
  const lead = element('p', { class: 'lead' });
  watch(signal, 'users', () => (lead.textContent = introduction(currentUser())));
  return element('div', {}, lead, authenticatorSection(signal), emailCodesSection(signal));
}

function introduction(user) {
  if (!user) return '';
  if (user.twoFactor?.required) return 'Your role demands a second factor. Set one up, and the rest is open to you.';
  if (!hasSecondFactor(user)) return 'Your account is protected by its password alone. With a second factor, a stolen password is not enough.';
  return 'Your account is protected by a second factor. You are asked for it when you sign in, and before what matters.';
}

function emailCodesSection(signal) {
  const made = element('div');
  watch(signal, 'users', () => {
    const user = currentUser();
    if (user) made.replaceChildren(emailCodes(user));
  });
  return made;
}

function emailCodes({ emails = [], twoFactor }) {
  const isOn = Boolean(twoFactor?.email);
  const canBeOn = emails.length > 0 && emails.every(({ verified }) => verified);
  return section(
    {
      title: 'Codes by e-mail',
      state: isOn ? badge('on', 'good') : badge('off'),
      about: 'A code is sent to your verified addresses when one is needed. An authenticator app is safer, and is asked for first.',
    },
    isOn && action('Turn off codes by e-mail', disable),
    !isOn && canBeOn && action('Turn on codes by e-mail', enable),
    !isOn && !canBeOn && element('p', { class: 'note' }, 'First ', element('a', { href: '#/account' }, 'verify your addresses'), '.'),
  );
}

async function enable() {
  await client.call('2fa:enable-email');
  say('Codes by e-mail are on. Your other clients were signed out.');
}

async function disable() {
  await client.call('2fa:disable-email');
  say('Codes by e-mail are off.');
}
