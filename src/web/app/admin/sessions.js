// The open connections, on all nodes.

import { client } from '../client.js';
import { confirm } from '../dialogs.js';
import { element } from '../element.js';
import { action } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe, watch } from '../live.js';
import { say } from '../messages.js';
import { row } from '../row.js';
import { nodesOf } from './nodes.js';
import { clientName, count, time } from '../text.js';

export function sessionsPage({ signal }) {
  const lead = element('p', { class: 'lead' });
  const subscription = subscribe(signal, 'admin:sessions');
  const nodes = nodesOf(signal);
  watch(
    signal,
    'sessions',
    (sessions) => (lead.textContent = `${summary(sessions)} on ${nodes.text()}.`),
  );
  const list = liveList(signal, {
    subscription,
    collection: 'sessions',
    order: (one, other) => other.since - one.since,
    row: sessionRow,
    empty: 'There are no connections.',
  });
  return element('div', {}, lead, nodes.silent, list.element);
}

// Clients that have lost their connection may come back to their session.
function summary(sessions) {
  const lost = sessions.filter(({ away }) => away).length;
  const open = sessions.length - lost;
  const waiting = lost > 0 ? `, and ${count(lost, 'client')} that lost ${lost === 1 ? 'its' : 'theirs'} may return` : '';
  return `${count(open, 'connection')} ${open === 1 ? 'is' : 'are'} open${waiting}`;
}

function sessionRow({ userId, username, address, userAgent, since, subscriptions, away, node, login }) {
  const name = username ?? userId;
  return row({
    title: name ?? 'Not signed in',
    tooltip: userAgent,
    facts: [
      clientName(userAgent),
      address,
      ['since ', time(since)],
      count(subscriptions, 'subscription'),
      away && 'connection lost',
      node && `node ${node}`,
    ],
    actions: [login && action('End', () => end(userId, login, name), { class: 'danger-quiet', 'aria-label': `End a session of ${name}` })],
  });
}

async function end(user, login, name) {
  const isSure = await confirm({
    title: `End this session of ${name}?`,
    text: 'The client is signed out, with all its connections, and has to sign in again.',
    button: 'End',
  });
  if (!isSure) return;
  await client.call('admin:endSession', user, login);
  say(`The session of ${name} has ended.`);
}
