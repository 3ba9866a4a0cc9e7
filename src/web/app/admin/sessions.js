// Who is connected now.

import { element } from '../element.js';
import { liveList } from '../live-list.js';
import { subscribe, watch } from '../live.js';
import { badge } from '../section.js';
import { clientName, count, time } from '../text.js';

export function sessionsPage({ signal }) {
  const lead = element('p', { class: 'lead' });
  const subscription = subscribe(signal, 'admin:sessions');
  watch(
    signal,
    'sessions',
    ({ length }) => (lead.textContent = `${count(length, 'connection')} ${length === 1 ? 'is' : 'are'} open on this server.`),
  );
  const list = liveList(signal, {
    subscription,
    collection: 'sessions',
    order: (one, other) => other.since - one.since,
    row: sessionRow,
    empty: 'Nobody is connected.',
  });
  return element('div', {}, lead, list.element);
}

function sessionRow({ userId, username, address, userAgent, since, transport, subscriptions }) {
  return element(
    'li',
    {},
    element(
      'div',
      { class: 'row-main' },
      element('strong', {}, username ?? userId ?? 'Nobody signed in'),
      ' ',
      transport && badge(transport),
      element(
        'p',
        { class: 'facts' },
        element('span', { title: userAgent }, clientName(userAgent)),
        address && element('span', {}, address),
        element('span', {}, 'since ', time(since)),
        element('span', {}, count(subscriptions ?? 0, 'subscription')),
      ),
    ),
  );
}
