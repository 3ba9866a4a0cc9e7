// Roles, and which of them demand a second factor.

import { client } from '../client.js';
import { confirm } from '../dialogs.js';
import { element } from '../element.js';
import { action, checkbox, field, form } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe } from '../live.js';
import { say } from '../messages.js';
import { row } from '../row.js';
import { badge, section } from '../section.js';

export function rolesPage({ signal }) {
  const subscription = subscribe(signal, 'admin:roles');
  const list = liveList(signal, {
    subscription,
    collection: 'roles',
    order: (one, other) => one._id.localeCompare(other._id),
    row: roleRow,
    empty: 'There are no roles.',
  });
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, 'Users of a role that demands a second factor can do nothing before they have set one up.'),
    list.element,
    section({ title: 'New role' }, newRoleForm()),
  );
}

function roleRow({ _id: name, description, mandatory2fa }) {
  const set = async (isMandatory) => {
    await client.call('admin:setRole', name, { mandatory2fa: isMandatory });
    say(isMandatory ? `The role ${name} demands a second factor now.` : `The role ${name} demands no second factor any more.`);
  };
  return row({
    title: name,
    badges: [mandatory2fa && badge('second factor demanded', 'good')],
    facts: [description],
    actions: [
      mandatory2fa
        ? action('Demand none', () => set(false), { 'aria-label': `Demand no second factor of ${name}` })
        : action('Demand a second factor', () => set(true), { 'aria-label': `Demand a second factor of ${name}` }),
      name !== 'admin' && action('Remove', () => remove(name), { class: 'danger-quiet', 'aria-label': `Remove ${name}` }),
    ],
  });
}

function newRoleForm() {
  const submit = async ({ name, description, mandatory2fa }, made) => {
    await client.call('admin:setRole', name.trim(), { mandatory2fa, ...(description && { description }) });
    made.reset();
    say(`There is a role ${name.trim()} now.`);
  };
  return form(
    { button: 'Add the role', submit },
    field({ label: 'Name', name: 'name', autocomplete: 'off', autocapitalize: 'off', maxlength: 100, required: true }),
    field({ label: 'What it is for', name: 'description', autocomplete: 'off' }),
    checkbox({ label: 'Demand a second factor', name: 'mandatory2fa' }),
  );
}

async function remove(name) {
  const isSure = await confirm({ title: `Remove the role ${name}?`, text: 'Users who have it lose it.', button: 'Remove' });
  if (!isSure) return;
  await client.call('admin:removeRole', name);
  say(`The role ${name} is gone.`);
}
