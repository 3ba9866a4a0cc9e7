// Which roles require a second factor. A role is a name; roles are assigned on the page of users.

import { client } from '../client.js';
import { element } from '../element.js';
import { action, field, form } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe } from '../live.js';
import { say } from '../messages.js';
import { row } from '../row.js';
import { badge, section } from '../section.js';

export function rolesPage({ signal }) {
  const subscription = subscribe(signal, 'admin:roles');
  const order = (one, other) => one._id.localeCompare(other._id);
  const list = liveList(signal, { subscription, collection: 'roles', order, row: roleRow, empty: 'There are no roles.' });
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, 'Users with a role that requires a second factor must set one up before they can do anything else.'),
    list.element,
    section(
      { title: 'Another role', about: 'For a role that your application defines. It is listed here while it requires a second factor.' },
      form(
        { button: 'Require a second factor', submit: requireForAnother },
        field({
          label: 'Name of the role',
          name: 'name',
          autocomplete: 'off',
          autocapitalize: 'off',
          spellcheck: 'false',
          maxlength: 100,
          required: true,
        }),
      ),
    ),
  );
}

function roleRow({ _id: name, mandatory2fa, builtIn }) {
  return row({
    title: name,
    badges: [mandatory2fa && badge('second factor required', 'good')],
    facts: [builtIn && 'built in'],
    actions: [
      mandatory2fa
        ? action('Do not require a second factor', () => demand(name, false), { 'aria-label': `Do not require a second factor for ${name}` })
        : action('Require a second factor', () => demand(name, true), { 'aria-label': `Require a second factor for ${name}` }),
    ],
  });
}

async function requireForAnother({ name }, made) {
  await demand(name.trim(), true);
  made.reset();
}

async function demand(name, isDemanded) {
  await client.call('admin:setRole', name, { mandatory2fa: isDemanded });
  say(isDemanded ? `The role ${name} now requires a second factor.` : `The role ${name} no longer requires a second factor.`);
}
