// The first page of admins: what is wrong now, what each node does, and the calls that took long.

import { client } from '../client.js';
import { element } from '../element.js';
import { liveList } from '../live-list.js';
import { subscribe, watch } from '../live.js';
import { row } from '../row.js';
import { section } from '../section.js';
import { exactTime } from '../text.js';
import { Chart } from './chart.js';
import { nodesOf } from './nodes.js';

const RETRY_MS = 5000;

const perSecond = (id) => (read) => read(id).map((value) => value / read.every);
const perMinute = (id) => (read) => read(id).map((value) => (value * 60) / read.every);
const asItIs = (id) => (read) => read(id);

const CHARTS = [
  { title: 'Connections', series: [['open', asItIs('connections')]] },
  { title: 'Calls a second', series: [['ended', perSecond('calls')]] },
  {
    title: 'Durations of calls',
    unit: 'ms',
    series: [
      ['median', asItIs('median')],
      ['99 %', asItIs('percentile99')],
    ],
  },
  {
    title: 'Errors a minute',
    series: [
      ['all', perMinute('errors')],
      ['internal', perMinute('failures')],
    ],
  },
  { title: 'Messages to clients a second', series: [['sent', perSecond('deliveries')]] },
  {
    title: 'Second factors a minute',
    series: [
      ['asked for', perMinute('asked')],
      ['wrong', perMinute('wrong')],
      ['right', perMinute('passed')],
    ],
  },
  {
    title: 'Logins a minute',
    series: [
      ['signed in', perMinute('logins')],
      ['refused', perMinute('refusedLogins')],
    ],
  },
  { title: 'Refused by limits a minute', series: [['refused', perMinute('refusals')]] },
];

export function overviewPage({ signal }) {
  const place = element('div');
  let attempt = new AbortController();
  const show = () => {
    if (signal.aborted) return;
    attempt.abort();
    attempt = new AbortController();
    place.replaceChildren(...content(AbortSignal.any([signal, attempt.signal]), () => setTimeout(show, RETRY_MS)));
  };
  show();
  return place;
}

function content(signal, retry) {
  const subscription = subscribe(signal, 'admin:overview');
  const failed = element('p', { class: 'warning', role: 'alert', hidden: true });
  subscription.ended.then((error) => {
    if (error?.error !== 500 || signal.aborted) return;
    failed.textContent = 'The server cannot read its database. Check that the database runs, and that the server reaches it. This page tries again every few seconds.';
    failed.hidden = false;
    retry();
  });
  return [failed, nodesOf(signal).silent, problems(signal, subscription), charts(signal), slowCalls(signal, subscription)];
}

function problems(signal, subscription) {
  const list = liveList(signal, {
    subscription,
    collection: 'overview',
    select: ({ kind }) => kind === 'problem',
    order: (one, other) => one._id.localeCompare(other._id),
    row: problemRow,
    empty: 'Nothing that the server knows of.',
  });
  return section({ title: 'What is wrong now' }, list.element);
}

function problemRow({ what, advice, page, node }) {
  return row({
    title: what,
    facts: [advice, node && `node ${node}`],
    actions: [page && element('a', { href: `#${page}`, 'aria-label': `Look at it: ${what}` }, 'Look at it')],
  });
}

/** The charts of each node, in the order of the nodes' names, that of this node first. */
function charts(signal) {
  const place = element('div');
  const shown = new Map();
  watch(signal, 'overview', (documents) => {
    const series = documents.filter(({ kind }) => kind === 'series' || kind === 'samples');
    const nodes = [...new Set(series.map(({ node = '' }) => node))].sort(ownFirst);
    for (const [node, { element: made }] of shown) if (!nodes.includes(node) && (made.remove(), true)) shown.delete(node);
    for (const node of nodes) {
      if (!shown.has(node)) shown.set(node, new NodeCharts(node));
      shown.get(node).show(series.filter((document) => (document.node ?? '') === node));
      place.append(shown.get(node).element);
    }
  });
  return place;
}

function ownFirst(one, other) {
  const isOwn = (node) => Boolean(client.collection('nodes').get(node)?.own);
  return isOwn(other) - isOwn(one) || one.localeCompare(other);
}

class NodeCharts {
  #charts = CHARTS.map((chart) => new Chart(chart));

  constructor(node) {
    this.element = section(
      { title: node ? `The last 15 minutes of node ${node}` : 'The last 15 minutes' },
      element(
        'div',
        { class: 'charts' },
        this.#charts.map(({ element }) => element),
      ),
    );
  }

  show(documents) {
    // The id of a document of another node begins with the node.
    const named = new Map(documents.map((document) => [document._id.split(' ').at(-1), document]));
    const read = (id) => named.get(id)?.values ?? [];
    read.every = named.get('samples')?.every ?? 5;
    for (const chart of this.#charts) chart.show(read);
  }
}

function slowCalls(signal, subscription) {
  const body = element('tbody');
  const heading = (name, place) => element('th', { scope: 'col', class: place === 3 && 'number' }, name);
  const table = element('table', {}, element('thead', {}, element('tr', {}, ['Method', 'User', 'Began', 'Took'].map(heading))), body);
  const frame = element('div', { class: 'scroll', role: 'region', 'aria-label': 'Slow calls', tabindex: '0' }, table);
  const list = liveList(signal, {
    subscription,
    collection: 'overview',
    select: ({ kind }) => kind === 'slowCall',
    order: (one, other) => other.began - one.began,
    row: slowCallRow,
    empty: 'No call was slow.',
    container: body,
    frame,
  });
  return section({ title: 'Slow calls', about: 'The latest calls that took longer than the server’s flag --slow-call says.' }, list.element);
}

function slowCallRow({ method, userId, username, began, milliseconds, node }) {
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, element('code', {}, method), node && element('span', { class: 'faint' }, ` ${node}`)),
    element('td', {}, username ?? userId ?? 'not signed in'),
    element('td', {}, exactTime(began)),
    element('td', { class: 'number' }, `${Math.round(milliseconds).toLocaleString('en')} ms`),
  );
}
