// The address: the part after `#` names a page.

/** Goes to a page. */
export function go(path) {
  if (location.hash === `#${path}`) dispatchEvent(new HashChangeEvent('hashchange'));
  else location.hash = path;
}

/** Returns the path of the page that the address names. */
export function currentPath() {
  return location.hash.slice(1);
}

/** Removes everything after the page's name from the address, such as the secret token of a link. */
export function forgetAddress(path) {
  history.replaceState(null, '', `#${path}`);
}
