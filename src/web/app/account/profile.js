// The user's name, addresses and password.

import { passwordDigest } from '../../bolide.js';
import { client, currentUser } from '../client.js';
import { element } from '../element.js';
import { checkbox, field, form } from '../form.js';
import { watch } from '../live.js';
import { say } from '../messages.js';
import { row } from '../row.js';
import { Rows } from '../rows.js';
import { badge, section } from '../section.js';
import { verifyButton } from './verify-button.js';

export function profilePage({ signal }) {
  return element('div', {}, nameSection(), emailSection(signal), passwordSection());
}

function nameSection() {
  const submit = async ({ username }) => {
    await client.call('saveUserProfile', { username: username.trim() }, {});
    say('Your username was changed.');
  };
  return section(
    { title: 'Name' },
    form(
      { button: 'Change the username', kind: '', submit },
      field({
        label: 'Username',
        name: 'username',
        value: currentUser().username ?? '',
        autocomplete: 'username',
        autocapitalize: 'off',
        spellcheck: 'false',
        required: true,
      }),
    ),
  );
}

function emailSection(signal) {
  const list = element('ul', { class: 'rows' });
  const rows = new Rows(list, addressRow);
  watch(signal, 'users', () => {
    const addresses = currentUser()?.emails ?? [];
    list.hidden = addresses.length === 0;
    rows.show(addresses.map((email) => ({ _id: email.address, ...email })));
  });
  const submit = async ({ email }, made) => {
    await client.call('saveUserProfile', { email: email.trim() }, {});
    made.reset();
    say('Your address was changed. A mail was sent to verify it.');
  };
  return section(
    { title: 'E-mail', about: 'Password resets and codes are sent to your verified addresses.' },
    list,
    form(
      { button: 'Change the address', kind: '', submit },
      field({ label: 'New e-mail address', name: 'email', type: 'email', autocomplete: 'email', required: true }),
    ),
  );
}

function addressRow({ address, verified }) {
  return row({
    title: address,
    badges: [verified ? badge('verified', 'good') : badge('not verified', 'bad')],
    actions: [!verified && verifyButton(address, 'Verify')],
  });
}

function passwordSection() {
  const submit = async ({ old, password, endTokens }, made) => {
    // The new one as text, so that the server can check it.
    await client.call('changePassword', await passwordDigest(old), password, { keepPersonalTokens: !endTokens });
    made.reset();
    say('Your password was changed. All other clients were signed out.');
  };
  return section(
    { title: 'Password', about: 'Changing your password signs you out everywhere else.' },
    form(
      { button: 'Change the password', kind: '', submit },
      element('input', { autocomplete: 'username', value: currentUser().username ?? '', hidden: true }), // for password managers
      field({ label: 'Current password', name: 'old', type: 'password', autocomplete: 'current-password', required: true }),
      field({ label: 'New password', name: 'password', type: 'password', autocomplete: 'new-password', required: true }),
      checkbox({
        label: 'Remove my tokens for programs too',
        name: 'endTokens',
        checked: true,
        hint: 'Keep this on if somebody else may have known your password: they may have made a token.',
      }),
    ),
  );
}
