// Shows the page that the address names after `#`. A page is shown until the address or the user changes.

import { currentPath } from './address.js';
import { currentUser, isAdmin } from './client.js';
import { closeDialogs } from './dialogs.js';
import { element } from './element.js';
import { clearComplaints } from './messages.js';
import { routes } from './routes.js';

let shown = { key: null, controller: new AbortController() };

/** Shows the page that the address names, unless it is already shown. */
export function showPage() {
  const { route, argument } = routeFor(currentPath(), currentUser());
  const key = route.access === 'anyone' ? route.path : `${route.path} ${currentUser()?._id}`;
  if (key === shown.key && !argument) return;
  shown.controller.abort();
  shown = { key, path: route.path, controller: new AbortController() };
  clearComplaints();
  closeDialogs();
  render(route, argument);
}

/** Returns the path of the current page. */
export function shownPath() {
  return shown.path;
}

function render(route, argument) {
  document.title = `${route.title} · Bolide`;
  const heading = element('h1', { tabindex: '-1' }, route.title);
  const content = route.page({ signal: shown.controller.signal, argument });
  document.getElementById('main').replaceChildren(element('div', { class: `page ${route.width ?? ''}` }, heading, content));
  scrollTo(0, 0);
  (document.querySelector('main [data-focus]') ?? heading).focus({ preventScroll: true });
}

function routeFor(address, user) {
  const [, path, argument] = /^(\/(?:reset-password|enroll-account|verify-email))\/(.+)$/.exec(address) ?? [null, address];
  const route = routes.find((route) => route.path === path);
  if (!route) return { route: path === '' || path === '/' ? home(user) : named('/not-found') };
  if (route.access === 'anyone') return { route, argument };
  if (route.access === 'guest') return { route: user ? home(user) : route };
  if (!user) return { route: named('/sign-in') };
  if (user.twoFactor?.required) return { route: named('/account/two-factor') };
  if (route.access === 'admin' && !isAdmin(user)) return { route: named('/not-found') };
  return { route };
}

function home(user) {
  if (!user) return named('/sign-in');
  return named(isAdmin(user) && !user.twoFactor?.required ? '/admin/overview' : '/account');
}

function named(path) {
  return routes.find((route) => route.path === path);
}
