// Stores the login token: for this tab only, or on this device if the user wants to stay signed in.

const KEY = 'bolide.token';
let place = localStorage.getItem(KEY) ? localStorage : sessionStorage;

/** Sets whether future tokens are kept when the browser is closed. */
export function staySignedIn(isWanted) {
  place.removeItem(KEY);
  place = isWanted ? localStorage : sessionStorage;
}

export function keptToken() {
  return place.getItem(KEY);
}

/** Stores the token of a login, or removes it if `login` is null. */
export function keepToken(login) {
  if (login) place.setItem(KEY, login.token);
  else place.removeItem(KEY);
}
