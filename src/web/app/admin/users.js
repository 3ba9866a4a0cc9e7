// All users, page by page: search, inspect and manage.

import { client } from '../client.js';
import { element } from '../element.js';
import { action, choice, field } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe, watch } from '../live.js';
import { row } from '../row.js';
import { badge } from '../section.js';
import { switcher } from '../switcher.js';
import { count, time } from '../text.js';
import { addUser } from './new-user.js';
import { nameOf, showUser } from './user-dialog.js';

const PAGE = 25;
const PAUSE_MS = 250;

export function usersPage({ signal }) {
  subscribe(signal, 'admin:roles');
  const wanted = { search: '', role: '', offset: 0 };
  const lists = switcher(signal);
  const change = (changes) => {
    Object.assign(wanted, changes);
    lists.show((signal) => userList(signal, wanted, (offset) => change({ offset })));
  };
  change({});
  return element(
    'div',
    {},
    element('div', { class: 'buttons' }, action('Add a user', addUser)),
    filters(signal, (changes) => change({ ...changes, offset: 0 })),
    lists.element,
  );
}

function filters(signal, filter) {
  let timer;
  const search = ({ target }) => {
    clearTimeout(timer);
    timer = setTimeout(() => filter({ search: target.value.trim() }), PAUSE_MS);
  };
  const role = choice({ label: 'Role', options: [['', 'Any']], onchange: ({ target }) => filter({ role: target.value }) });
  const select = role.querySelector('select');
  watch(signal, 'roles', (roles) => {
    const { value } = select;
    select.replaceChildren(...['', ...roles.map(({ _id }) => _id).sort()].map((name) => element('option', { value: name }, name || 'Any')));
    select.value = value;
  });
  return element(
    'div',
    { class: 'filters', role: 'search' },
    field({ label: 'Name or address', type: 'search', autocomplete: 'off', oninput: search }),
    role,
  );
}

function userList(signal, { search, role, offset }, goTo) {
  const asked = { offset, limit: PAGE, ...(search && { search }), ...(role && { role }) };
  const subscription = subscribe(signal, 'admin:users', asked);
  const list = liveList(signal, {
    subscription,
    collection: 'adminUsers',
    order: (one, other) => one.place - other.place,
    row: userRow,
    empty: 'There are no matching users.',
  });
  const total = element('span', { role: 'status' });
  const before = action('Previous', () => goTo(Math.max(0, offset - PAGE)));
  const after = action('Next', () => goTo(offset + PAGE));
  watch(signal, 'counts', () => {
    const number = client.collection('counts').get('adminUsers')?.total ?? 0;
    total.textContent = number > PAGE ? `${offset + 1} to ${Math.min(offset + PAGE, number)} of ${count(number, 'user')}` : count(number, 'user');
    before.hidden = offset === 0;
    after.hidden = offset + PAGE >= number;
  });
  return { element: element('div', {}, list.element, element('div', { class: 'pager' }, total, before, after)), ready: subscription.ready };
}

function userRow(user) {
  const { emails = [], roles = [], active, createdAt, twoFactor } = user;
  return row({
    title: nameOf(user),
    badges: [...factors(twoFactor), ...roles.map((role) => badge(role)), active === false && badge('deactivated', 'bad')],
    facts: [...emails.map(({ address }) => address), ['since ', time(createdAt)]],
    actions: [action('Manage', () => showUser(user._id), { 'aria-label': `Manage ${nameOf(user)}` })],
  });
}

function factors({ totp, email }) {
  if (!totp && !email) return [badge('no second factor', 'bad')];
  return [totp && badge('app', 'good'), email && badge('e-mail codes', 'good')];
}
