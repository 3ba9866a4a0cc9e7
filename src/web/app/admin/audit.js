// The audit log: the latest events, live, and older ones on demand.

import { client } from '../client.js';
import { element } from '../element.js';
import { action, field } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe, watch } from '../live.js';
import { row } from '../row.js';
import { switcher } from '../switcher.js';
import { clientName, exactTime } from '../text.js';

const PAGE = 50;
const PAUSE_MS = 250;

export function auditPage({ signal }) {
  const wanted = {};
  const lists = switcher(signal);
  const show = () => lists.show((signal) => log(signal, Object.fromEntries(Object.entries(wanted).filter(([, value]) => value))));
  show();
  return element('div', {}, filters(wanted, show), lists.element);
}

function filters(wanted, show) {
  let timer;
  const change =
    (name) =>
    ({ target }) => {
      wanted[name] = target.value.trim();
      clearTimeout(timer);
      timer = setTimeout(show, PAUSE_MS);
    };
  return element(
    'div',
    { class: 'filters', role: 'search' },
    field({ label: 'User', hint: 'Name, address or id', type: 'search', autocomplete: 'off', oninput: change('user') }),
    field({ label: 'Event', hint: 'For example login.failed', type: 'search', autocomplete: 'off', oninput: change('event') }),
  );
}

function log(signal, asked) {
  const subscription = subscribe(signal, 'admin:audit', { ...asked, limit: PAGE });
  const empty = 'There are no matching events.';
  const latest = liveList(signal, { subscription, collection: 'audit', order: latestFirst, row: entryRow, empty });
  return { element: element('div', {}, latest.element, olderEntries(signal, asked)), ready: subscription.ready };
}

/** Older entries, page by page. Entries that new ones displace from the list of latest entries move here. */
function olderEntries(signal, asked) {
  const list = element('ul', { class: 'rows' });
  let before = null;
  const more = action('Show older', async () => {
    before ??= oldest(client.collection('audit').all());
    const page = await client.call('admin:auditPage', { ...asked, before, limit: PAGE });
    list.append(...page.map(entryRow));
    before = page.at(-1)?.id ?? before;
    more.hidden = page.length < PAGE;
  });
  const stop = client.collection('audit').onChange(({ type, previous }) => type === 'removed' && before !== null && list.prepend(entryRow(previous)));
  signal.addEventListener('abort', stop, { once: true });
  watch(signal, 'audit', ({ length }) => before === null && (more.hidden = length < PAGE));
  return element('div', {}, list, element('div', { class: 'pager' }, more));
}

const latestFirst = (one, other) => other.id - one.id;
const oldest = (entries) => Math.min(...entries.map(({ id }) => id));

function entryRow({ at, event, username, userId, actor, address, userAgent, details, count }) {
  const isOfAnother = actor && actor !== userId;
  return row({
    title: event,
    facts: [exactTime(at), count && `${count} times in a minute`, username ?? userId, isOfAnother && `by ${actor}`, address, userAgent && clientName(userAgent), ...pairs(details)],
  });
}

function pairs(details) {
  const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.entries(details ?? {}).map(([name, value]) => [`${name}: `, element('code', {}, text(value))]);
}
