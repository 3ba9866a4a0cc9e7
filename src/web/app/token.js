// Where the login token is kept: for this tab alone, or on this device if the user wants to stay signed in.

const KEY = 'bolide.token';
let place = localStorage.getItem(KEY) ? localStorage : sessionStorage;

/** Whether tokens from now on outlast the browser. */
export function staySignedIn(isWanted) {
  place.removeItem(KEY);
  place = isWanted ? localStorage : sessionStorage;
}

export function keptToken() {
  return place.getItem(KEY);
}

/** Keeps the token of a login; without a login, forgets it. */
export function keepToken(login) {
  if (login) place.setItem(KEY, login.token);
  else place.removeItem(KEY);
}
