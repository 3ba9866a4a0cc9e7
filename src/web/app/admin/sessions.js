// The open connections, on all nodes.

import { element } from '../element.js';
import { liveList } from '../live-list.js';
import { subscribe, watch } from '../live.js';
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
    ({ length }) => (lead.textContent = `${count(length, 'connection')} ${length === 1 ? 'is' : 'are'} open on ${nodes.text()}.`),
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

function sessionRow({ userId, username, address, userAgent, since, subscriptions, node }) {
  return row({
    title: username ?? userId ?? 'Not signed in',
    tooltip: userAgent,
    facts: [clientName(userAgent), address, ['since ', time(since)], count(subscriptions, 'subscription'), node && `node ${node}`],
  });
}
