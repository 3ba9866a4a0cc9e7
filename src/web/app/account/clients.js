// The browsers and apps in which the user is signed in, and which of them are trusted for now.

import { client } from '../client.js';
import { confirm } from '../dialogs.js';
import { element } from '../element.js';
import { action } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe, watch } from '../live.js';
import { say } from '../messages.js';
import { row } from '../row.js';
import { badge } from '../section.js';
import { clientName, clockTime, time } from '../text.js';

export function clientsPage({ signal }) {
  const subscription = subscribe(signal, 'account:tokens');
  const list = liveList(signal, {
    subscription,
    collection: 'tokens',
    select: isSession,
    order: latestFirst,
    row: sessionRow,
    empty: 'You are not signed in anywhere.',
  });
  const endOthers = action('Sign out all others', signOutOthers, { class: 'danger-quiet' });
  watch(signal, 'tokens', (tokens) => (endOthers.hidden = tokens.filter(isSession).length < 2));
  return element(
    'div',
    {},
    element(
      'p',
      { class: 'lead' },
      'These browsers and apps are signed in with your password. If you do not recognise one, sign it out and change your password.',
    ),
    list.element,
    element('div', { class: 'buttons' }, endOthers),
  );
}

const isSession = ({ kind }) => kind === 'session';
const latestFirst = (one, other) => other.current - one.current || lastUse(other) - lastUse(one);
const lastUse = ({ lastUsedAt, createdAt }) => lastUsedAt ?? createdAt;

function sessionRow({ _id, current, userAgent, address, createdAt, lastUsedAt, trustedUntil }) {
  const name = clientName(userAgent);
  const isTrusted = trustedUntil > new Date();
  return row({
    title: name,
    tooltip: userAgent,
    badges: [current && badge('this client', 'good'), isTrusted && badge('trusted')],
    facts: [
      address,
      ['last used ', time(lastUsedAt ?? createdAt)],
      ['signed in ', time(createdAt)],
      isTrusted && ['no second factor needed until ', clockTime(trustedUntil)],
    ],
    actions: [!current && action('Sign out', () => signOut(_id, name), { 'aria-label': `Sign out ${name}` })],
  });
}

async function signOut(id, name) {
  await client.call('account:revokeToken', id);
  say(`${name} was signed out.`);
}

async function signOutOthers() {
  const isSure = await confirm({
    title: 'Sign out all others?',
    text: 'Every other browser and app must sign in again. Access tokens remain valid.',
    button: 'Sign them out',
  });
  if (!isSure) return;
  await client.call('removeOtherTokens');
  say('All other clients were signed out.');
}
