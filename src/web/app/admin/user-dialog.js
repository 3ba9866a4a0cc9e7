// One user, in a dialog: roles, and actions for when a phone is lost or an account is misused.

import { client } from '../client.js';
import { confirm, showDialog } from '../dialogs.js';
import { element } from '../element.js';
import { action, checkbox, field, form } from '../form.js';
import { watch } from '../live.js';
import { say } from '../messages.js';
import { factsLine } from '../row.js';
import { Rows } from '../rows.js';

export function nameOf({ username, emails = [], _id }) {
  return username ?? emails[0]?.address ?? _id;
}

/** Shows a user. Resolves when the dialog is closed. */
export async function showUser(id) {
  const ended = new AbortController();
  const body = element('div');
  const user = () => client.collection('adminUsers').get(id);
  const rows = new Rows(body, content);
  watch(ended.signal, 'adminUsers', () => user() && rows.show([user()]));
  const close = element('form', { method: 'dialog', class: 'buttons divided' }, element('button', { class: 'quiet' }, 'Close'));
  await showDialog({ title: nameOf(user()) }, body, close);
  ended.abort();
}

function content(user) {
  const address = ({ address, verified }) => `${address} (${verified ? 'verified' : 'not verified'})`;
  const facts = factsLine([['id ', element('code', {}, user._id)], ...(user.emails ?? []).map(address)]);
  return element('div', {}, facts, rolesForm(user), measures(user));
}

function rolesForm(user) {
  const names = new Set([
    ...client
      .collection('roles')
      .all()
      .map(({ _id }) => _id),
    ...user.roles,
  ]);
  const boxes = [...names].sort().map((name) => checkbox({ label: name, name: `role ${name}`, value: name, checked: user.roles.includes(name) }));
  const another = field({ label: 'Another role', name: 'another', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', maxlength: 100 });
  const submit = async ({ another, ...ticked }) => {
    const roles = [...names].filter((name) => ticked[`role ${name}`]);
    await client.call('admin:setRoles', user._id, another.trim() ? [...roles, another.trim()] : roles);
    say(`The roles of ${nameOf(user)} were changed.`);
  };
  return form({ button: 'Change the roles', kind: '', submit }, element('fieldset', {}, element('legend', {}, 'Roles'), boxes, another));
}

function measures(user) {
  const name = nameOf(user);
  const isActive = user.active !== false;
  const hasFactor = user.twoFactor.totp || user.twoFactor.email;
  return element(
    'div',
    { class: 'buttons divided' },
    action('Sign out everywhere', () => logOut(user._id, name)),
    action('Lift blocks', () => unblock(user._id, name)),
    hasFactor && action('Reset second factors', () => resetFactors(user._id, name), { class: 'danger-quiet' }),
    isActive ? action('Deactivate', () => deactivate(user._id, name), { class: 'danger-quiet' }) : action('Activate', () => activate(user._id, name)),
  );
}

async function logOut(id, name) {
  await client.call('admin:logOut', id);
  say(`${name} was signed out everywhere.`);
}

async function unblock(id, name) {
  await client.call('admin:unblock', id);
  say(`${name} is not blocked any more for wrong passwords and codes.`);
}

async function resetFactors(id, name) {
  const isSure = await confirm({
    title: `Reset the second factors of ${name}?`,
    text: 'For a user who has lost their phone. Verify their identity first. This removes the authenticator app, the backup codes and codes by e-mail, signs the user out everywhere, and notifies them by mail.',
    button: 'Reset',
  });
  if (!isSure) return;
  await client.call('admin:resetSecondFactors', id);
  say(`The second factors of ${name} were reset.`);
}

async function deactivate(id, name) {
  const isSure = await confirm({
    title: `Deactivate ${name}?`,
    text: 'The user is signed out, the tokens of its programs are removed, and it can no longer sign in. No other data is deleted.',
    button: 'Deactivate',
  });
  if (!isSure) return;
  await client.call('admin:setActive', id, false);
  say(`${name} was deactivated.`);
}

async function activate(id, name) {
  await client.call('admin:setActive', id, true);
  say(`${name} can sign in again.`);
}
