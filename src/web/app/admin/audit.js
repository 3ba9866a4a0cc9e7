// The audit log: the latest events as they happen, and older ones on demand.

import { client } from '../client.js';
import { element } from '../element.js';
import { action, field } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe } from '../live.js';
import { row } from '../row.js';
import { clientName, exactTime } from '../text.js';

const PAGE = 50;
const PAUSE_MS = 250;

export function auditPage({ signal }) {
  const shown = element('div');
  const wanted = {};
  let controller = new AbortController();
  const show = () => {
    controller.abort();
    controller = new AbortController();
    const asked = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
    shown.replaceChildren(log(AbortSignal.any([signal, controller.signal]), asked));
  };
  show();
  return element('div', {}, filters(wanted, show), shown);
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
    field({ label: 'User', hint: 'Name or id', type: 'search', autocomplete: 'off', oninput: change('user') }),
    field({ label: 'Event', hint: 'Such as login.failed', type: 'search', autocomplete: 'off', oninput: change('event') }),
  );
}

function log(signal, asked) {
  const subscription = subscribe(signal, 'admin:audit', { ...asked, limit: PAGE });
  const latest = liveList(signal, {
    subscription,
    collection: 'audit',
    order: latestFirst,
    row: entryRow,
    empty: 'Nothing of that kind has happened.',
  });
  const older = element('ul', { class: 'rows' });
  let before;
  const more = action('Show older', async () => {
    before ??= oldestShown();
    const page = await client.call('admin:auditPage', { ...asked, before, limit: PAGE });
    older.append(...page.map(entryRow));
    before = page.at(-1)?.id;
    more.hidden = page.length < PAGE;
  });
  return element('div', {}, latest.element, older, element('div', { class: 'pager' }, more));
}

const idOf = ({ _id, id }) => Number(id ?? _id);
const latestFirst = (one, other) => idOf(other) - idOf(one);
const oldestShown = () => Math.min(...client.collection('audit').all().map(idOf));

function entryRow({ at, event, user, userId, actor, address, userAgent, details }) {
  const isOfAnother = actor && actor !== userId;
  return row({
    title: event,
    facts: [exactTime(at), user ?? userId, isOfAnother && `by ${actor}`, address, userAgent && clientName(userAgent), ...pairs(details)],
  });
}

function pairs(details) {
  const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.entries(details ?? {}).map(([name, value]) => [`${name}: `, element('code', {}, text(value))]);
}
