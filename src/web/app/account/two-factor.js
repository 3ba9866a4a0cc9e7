// The user's second factors: passkeys, an authenticator app, their backup codes, and codes by e-mail.

import { currentUser, hasSecondFactor } from '../client.js';
import { element } from '../element.js';
import { publicSetting, watch } from '../live.js';
import { authenticatorSection } from './authenticator.js';
import { emailCodesSection } from './email-codes.js';
import { passkeysSection } from './passkeys.js';

export function twoFactorPage({ signal }) {
  const lead = element('p', { class: 'lead' });
  const update = () => (lead.textContent = introduction(currentUser()));
  watch(signal, 'users', update);
  watch(signal, 'publicSettings', update);
  return element('div', {}, lead, passkeysSection(signal), authenticatorSection(signal), emailCodesSection(signal));
}

function introduction(user) {
  if (!user) return '';
  if (publicSetting('Accounts_TwoFactorAuthentication_Enabled') === false) return 'An admin has turned off second factors.';
  if (user.twoFactor?.required) return 'Your role requires a second factor. Set one up to continue.';
  if (!hasSecondFactor(user)) return 'Only a password protects your account. With a second factor, a stolen password is not enough.';
  return 'A second factor protects your account. You are asked for it when you sign in and before important changes.';
}
