// The frame around every page: the user, the navigation, and the state of the connection.

import { client, currentUser, hasSecondFactor, isAdmin } from './client.js';
import { element } from './element.js';
import { complain } from './messages.js';
import { shownPath } from './router.js';
import { routes } from './routes.js';

/** How long the connection may be lost before the frame says so. */
const PATIENCE_MS = 1000;

const part = (id) => document.getElementById(id);
let late;

export function startFrame() {
  client.on('status', showConnection);
  part('sign-out').addEventListener('click', () => client.logout().catch(complain));
  part('menu').addEventListener('click', () => setMenu(part('menu').getAttribute('aria-expanded') !== 'true'));
  part('skip').addEventListener('click', () => part('main').focus());
  addEventListener('keydown', ({ key }) => key === 'Escape' && setMenu(false));
}

/** Shows the frame for the user and page as they are now. */
export function showFrame() {
  const user = currentUser();
  document.body.classList.toggle('signed-out', !user);
  part('who').hidden = !user;
  part('navigation').hidden = !user;
  if (!user) return;
  part('name').textContent = nameOf(user);
  const key = JSON.stringify([shownPath(), isAdmin(user), hasSecondFactor(user)]);
  if (part('navigation').dataset.key === key) return; // keeps the focus on the user's current link
  part('navigation').dataset.key = key;
  part('navigation').replaceChildren(...navigation(user), ...advice(user));
  setMenu(false);
}

function nameOf({ username, emails, _id }) {
  return username ?? emails?.[0]?.address ?? _id;
}

function navigation(user) {
  const groups = ['Account', ...(isAdmin(user) ? ['Administration'] : [])];
  return groups.map((group) => {
    const id = `group-${group}`;
    const links = routes.filter((route) => route.group === group).map(link);
    return element('div', { class: 'group' }, element('h2', { id }, group), element('ul', { 'aria-labelledby': id }, links));
  });
}

function link({ path, title }) {
  const current = path === shownPath() && 'page';
  return element('li', {}, element('a', { href: `#${path}`, 'aria-current': current }, title));
}

function advice(user) {
  if (hasSecondFactor(user) || shownPath() === '/account/two-factor') return [];
  return [
    element(
      'p',
      { class: 'advice' },
      'Your account has no second factor: a stolen password is enough to sign in. ',
      element('a', { href: '#/account/two-factor' }, 'Set one up'),
    ),
  ];
}

function setMenu(isOpen) {
  part('menu').setAttribute('aria-expanded', String(isOpen));
  part('navigation').classList.toggle('open', isOpen);
}

function showConnection(status) {
  clearTimeout(late);
  const text = { connecting: 'Connecting …', waiting: 'No connection. Reconnecting …' }[status] ?? '';
  const show = () => (part('connection').textContent = text);
  if (text) late = setTimeout(show, PATIENCE_MS);
  else show();
}
