// Which roles demand a second factor. A role is a name; users are given roles on the page of users.

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
    element('p', { class: 'lead' }, 'Users of a role that demands a second factor can do nothing before they have set one up.'),
    list.element,
    section(
      { title: 'Another role', about: 'For a role of your application’s own. It is listed here as long as it demands a second factor.' },
      form(
        { button: 'Demand a second factor', submit: demandOfAnother },
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
    badges: [mandatory2fa && badge('second factor demanded', 'good')],
    facts: [builtIn && 'built in'],
    actions: [
      mandatory2fa
        ? action('Demand no second factor', () => demand(name, false), { 'aria-label': `Demand no second factor of ${name}` })
        : action('Demand a second factor', () => demand(name, true), { 'aria-label': `Demand a second factor of ${name}` }),
    ],
  });
}

async function demandOfAnother({ name }, made) {
  await demand(name.trim(), true);
  made.reset();
}

async function demand(name, isDemanded) {
  await client.call('admin:setRole', name, { mandatory2fa: isDemanded });
  say(isDemanded ? `The role ${name} demands a second factor now.` : `The role ${name} demands no second factor any more.`);
}
