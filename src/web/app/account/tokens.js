// Personal access tokens, for programs that act on behalf of the user. A token is shown once, when it is created.

import { client } from '../client.js';
import { confirm } from '../dialogs.js';
import { element } from '../element.js';
import { action, checkbox, field, form } from '../form.js';
import { liveList } from '../live-list.js';
import { subscribe, watchPublicSetting } from '../live.js';
import { say } from '../messages.js';
import { row } from '../row.js';
import { badge, section } from '../section.js';
import { copyButton, secretText } from '../secret.js';
import { time } from '../text.js';

export function tokensPage({ signal }) {
  const shown = element('div', { 'aria-live': 'polite' });
  const show = (name, token) => shown.replaceChildren(newToken(name, token, () => shown.replaceChildren()));
  const subscription = subscribe(signal, 'account:tokens');
  const list = liveList(signal, {
    subscription,
    collection: 'tokens',
    select: ({ kind }) => kind === 'personal',
    order: byName,
    row: (token) => tokenRow(token, show),
    empty: 'You have no tokens.',
  });
  return element(
    'div',
    {},
    element('p', { class: 'lead' }, 'Programs that act on your behalf sign in with a token instead of your password, over REST and DDP.'),
    shown,
    list.element,
    section({ title: 'New token' }, newTokenForm(signal, show)),
  );
}

const byName = (one, other) => one.name.localeCompare(other.name);

function newTokenForm(signal, show) {
  const warning = element(
    'p',
    { class: 'warning', hidden: true },
    'Such a token allows everything that you can do, without a second factor. Create one only for a program that cannot answer a prompt.',
  );
  const bypass = checkbox({
    label: 'Never ask for a second factor',
    name: 'bypassTwoFactor',
    onchange: ({ target }) => (warning.hidden = !target.checked),
  });
  watchPublicSetting(signal, 'Accounts_TwoFactorAuthentication_Tokens_May_Bypass', (isAllowed) => (bypass.hidden = isAllowed === false));
  const submit = async ({ tokenName, bypassTwoFactor }, made) => {
    if (bypassTwoFactor && !(await isSureOfBypass(tokenName))) return;
    const token = await client.call('personalAccessTokens:generateToken', { tokenName, bypassTwoFactor });
    made.reset();
    warning.hidden = true;
    show(tokenName, token);
  };
  return form(
    { button: 'Create token', submit },
    field({ label: 'Name', name: 'tokenName', hint: 'The purpose of the token, such as “backup script”.', maxlength: 100, required: true }),
    bypass,
    warning,
  );
}

function isSureOfBypass(name) {
  return confirm({
    title: 'Create a token without a second factor?',
    text: `The token “${name}” bypasses every prompt for a second factor, also for anyone who steals it.`,
    button: 'Create it anyway',
  });
}

function newToken(name, token, hide) {
  return element(
    'div',
    { class: 'shown-once' },
    element('h2', {}, `The token “${name}”`),
    element('p', { class: 'about' }, 'Copy it now. It will not be shown again.'),
    element('div', { class: 'inline' }, secretText(token), copyButton(token)),
    element('p', { class: 'hint' }, 'Over REST, send it as X-Auth-Token, with your user id ', element('code', {}, client.userId), ' as X-User-Id.'),
    element('div', { class: 'buttons' }, action('I have saved it', hide)),
  );
}

function tokenRow({ name, lastTokenPart, createdAt, lastUsedAt, bypassTwoFactor }, show) {
  return row({
    title: name,
    badges: [bypassTwoFactor && badge('bypasses the second factor', 'bad')],
    facts: [['ends in ', element('code', {}, lastTokenPart)], ['created ', time(createdAt)], lastUsedAt ? ['last used ', time(lastUsedAt)] : 'never used'],
    actions: [
      action('Regenerate', () => regenerate(name, show), { 'aria-label': `Regenerate ${name}` }),
      action('Revoke', () => revoke(name), { class: 'danger-quiet', 'aria-label': `Revoke ${name}` }),
    ],
  });
}

async function regenerate(tokenName, show) {
  const isSure = await confirm({
    title: 'Regenerate the token?',
    text: `The current token “${tokenName}” will stop working, and a new one will be shown.`,
    button: 'Regenerate',
  });
  if (isSure) show(tokenName, await client.call('personalAccessTokens:regenerateToken', { tokenName }));
}

async function revoke(tokenName) {
  const isSure = await confirm({ title: 'Revoke the token?', text: `Programs that use “${tokenName}” will lose access at once.`, button: 'Revoke' });
  if (!isSure) return;
  await client.call('personalAccessTokens:removeToken', { tokenName });
  say(`“${tokenName}” was revoked.`);
}
