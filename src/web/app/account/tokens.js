// Personal access tokens: for programs that work in the user's name. A token is shown once, when it is made.

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
    element('p', { class: 'lead' }, 'Programs that work in your name sign in with a token instead of your password, over REST and DDP.'),
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
    'Whoever has such a token can do everything that you can, without any further question. Make one only for a program that cannot answer, and keep it well.',
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
    { button: 'Make a token', submit },
    field({ label: 'Name', name: 'tokenName', hint: 'What the token is for, such as “backup script”.', maxlength: 100, required: true }),
    bypass,
    warning,
  );
}

function isSureOfBypass(name) {
  return confirm({
    title: 'A token that is never asked?',
    text: `With “${name}” a program, or whoever finds the token, passes every question for a second factor.`,
    button: 'Make it anyway',
  });
}

function newToken(name, token, putAway) {
  return element(
    'div',
    { class: 'shown-once' },
    element('h2', {}, `The token “${name}”`),
    element('p', { class: 'about' }, 'Copy it now. It is not shown again.'),
    element('div', { class: 'inline' }, secretText(token), copyButton(token)),
    element('p', { class: 'hint' }, 'Over REST, send it as X-Auth-Token, with your user id ', element('code', {}, client.userId), ' as X-User-Id.'),
    element('div', { class: 'buttons' }, action('I have kept it', putAway)),
  );
}

function tokenRow({ name, lastTokenPart, createdAt, lastUsedAt, bypassTwoFactor }, show) {
  return row({
    title: name,
    badges: [bypassTwoFactor && badge('never asked for a second factor', 'bad')],
    facts: [['ends in ', element('code', {}, lastTokenPart)], ['made ', time(createdAt)], lastUsedAt ? ['used ', time(lastUsedAt)] : 'never used'],
    actions: [
      action('Regenerate', () => regenerate(name, show), { 'aria-label': `Regenerate ${name}` }),
      action('Revoke', () => revoke(name), { class: 'danger-quiet', 'aria-label': `Revoke ${name}` }),
    ],
  });
}

async function regenerate(tokenName, show) {
  const isSure = await confirm({
    title: 'Make the token anew?',
    text: `“${tokenName}” stops working, and you are shown another token in its place.`,
    button: 'Make it anew',
  });
  if (isSure) show(tokenName, await client.call('personalAccessTokens:regenerateToken', { tokenName }));
}

async function revoke(tokenName) {
  const isSure = await confirm({ title: 'Revoke the token?', text: `Programs that use “${tokenName}” are shut out at once.`, button: 'Revoke' });
  if (!isSure) return;
  await client.call('personalAccessTokens:removeToken', { tokenName });
  say(`“${tokenName}” was revoked.`);
}
