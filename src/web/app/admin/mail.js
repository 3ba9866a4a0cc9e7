// Mails that are waiting to be sent, and those that could not be sent.

import { client } from '../client.js';
import { confirm } from '../dialogs.js';
import { element } from '../element.js';
import { action } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe } from '../live.js';
import { say } from '../messages.js';
import { row } from '../row.js';
import { badge } from '../section.js';
import { count, time } from '../text.js';

export function mailPage({ signal }) {
  const subscription = subscribe(signal, 'admin:mails');
  const list = liveList(signal, {
    subscription,
    collection: 'mails',
    order: (one, other) => other.createdAt - one.createdAt,
    row: mailRow,
    empty: 'All mails were sent.',
  });
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, 'Mails that are waiting to be sent, and mails that the mail server rejected.'),
    list.element,
  );
}

function mailRow({ _id, to, subject, createdAt, state, failures, lastError, nextAttemptAt }) {
  const hasFailed = state === 'failed';
  return row({
    title: subject,
    badges: [hasFailed ? badge('failed', 'bad') : badge('waiting')],
    facts: [
      `to ${[to].flat().join(', ')}`,
      ['written ', time(createdAt)],
      failures > 0 && count(failures, 'failure'),
      !hasFailed && nextAttemptAt && ['next attempt ', time(nextAttemptAt)],
    ],
    problem: lastError,
    actions: [
      action('Send now', () => retry(_id), { 'aria-label': `Send now: “${subject}”` }),
      action('Discard', () => discard(_id, subject), { class: 'danger-quiet', 'aria-label': `Discard: “${subject}”` }),
    ],
  });
}

async function retry(id) {
  await client.call('admin:retryMail', id);
  say('The mail is being sent.');
}

async function discard(id, subject) {
  const isSure = await confirm({ title: 'Discard the mail?', text: `“${subject}” will not be sent.`, button: 'Discard' });
  if (!isSure) return;
  await client.call('admin:discardMail', id);
  say('The mail was discarded.');
}
