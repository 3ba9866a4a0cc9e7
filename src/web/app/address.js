// The address: what stands behind its `#` names a page.

/** Goes to a page. */
export function go(path) {
  if (location.hash === `#${path}`) dispatchEvent(new HashChangeEvent('hashchange'));
  else location.hash = path;
}

/** The page that the address names. */
export function currentPath() {
  return location.hash.slice(1);
}

/** Takes away what the address says after a page's name, such as the token of a link, which is nobody's business. */
export function forgetAddress(path) {
  history.replaceState(null, '', `#${path}`);
}
