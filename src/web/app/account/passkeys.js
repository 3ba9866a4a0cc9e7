// Passkeys: added on this device or a security key, renamed, removed, and their backup codes.

import { canUsePasskeys } from '../../bolide.js';
import { client, currentUser } from '../client.js';
import { confirm, showDialog } from '../dialogs.js';
import { element } from '../element.js';
import { action, field, form } from '../form.js';
import { publicSetting, watch } from '../live.js';
import { complain, say } from '../messages.js';
import { row } from '../row.js';
import { badge, section } from '../section.js';
import { clientName, time } from '../text.js';
import { backupCodesLeft, newBackupCodes } from './backup-codes.js';

const ABOUT =
  'A passkey is kept by your device, your password manager or a security key. It cannot be guessed, and works on this site only. ' +
  'You are asked for it instead of a code.';

export function passkeysSection(signal) {
  const panel = new PasskeyPanel();
  watch(signal, 'users', () => panel.update());
  watch(signal, 'publicSettings', () => panel.update());
  return panel.element;
}

class PasskeyPanel {
  element = element('div');
  #codes = null;
  #state;

  update() {
    const user = currentUser();
    if (!user) return;
    const state = JSON.stringify([Boolean(user.twoFactor?.webauthn), Boolean(user.twoFactor?.totp), publicSetting(ENABLED)]);
    if (state !== this.#state) this.#show(state, user);
  }

  #show(state, { twoFactor }) {
    this.#state = state;
    const isOn = Boolean(twoFactor?.webauthn);
    const list = element('ul', { class: 'rows', 'aria-label': 'Your passkeys' });
    this.element.replaceChildren(
      section(
        { title: 'Passkeys', state: isOn ? badge('on', 'good') : badge('off'), about: ABOUT },
        this.#codes && newBackupCodes(this.#codes, () => this.#hideCodes()),
        isOn && list,
        isOn && !this.#codes && !twoFactor.totp && this.#backupCodes(),
        this.#adding(),
      ),
    );
    if (isOn) this.#fill(list).catch(complain);
  }

  async #fill(list) {
    const passkeys = await client.call('passkeys:list');
    list.replaceChildren(...passkeys.map((passkey) => this.#row(passkey)));
  }

  #row({ id, name, createdAt, lastUsedAt, backedUp }) {
    return row({
      title: name,
      badges: [backedUp && badge('synced')],
      facts: [['added ', time(createdAt)], lastUsedAt ? ['last used ', time(lastUsedAt)] : 'never used'],
      actions: [
        action('Rename', () => this.#rename(id, name), { 'aria-label': `Rename ${name}` }),
        action('Remove', () => this.#remove(id, name), { class: 'danger-quiet', 'aria-label': `Remove ${name}` }),
      ],
    });
  }

  #adding() {
    const note = (text) => element('p', { class: 'note' }, text);
    if (publicSetting(ENABLED) === false) return note('An admin has turned off passkeys.');
    if (!canUsePasskeys()) return note('This browser has no passkeys here: they need https, or localhost.');
    return element('div', { class: 'buttons' }, action('Add a passkey', () => this.#add(), { class: 'primary' }));
  }

  #backupCodes() {
    return element('div', {}, backupCodesLeft(), element('div', { class: 'buttons' }, action('Create new backup codes', () => this.#regenerate())));
  }

  async #add() {
    const { name, codes } = await client.registerPasskey(clientName(navigator.userAgent)).catch(explained);
    this.#refresh(codes ?? null);
    say(`The passkey “${name}” was added. All other clients were signed out.`);
  }

  async #rename(id, name) {
    const close = (made) => made.closest('dialog').close();
    const cancel = action('Cancel', () => close(cancel), { class: 'quiet' });
    const submit = async (values, made) => {
      await client.call('passkeys:rename', { id, name: values.name });
      close(made);
      this.#refresh();
    };
    const input = field({ label: 'Name', name: 'name', value: name, maxlength: 60, required: true, autofocus: true });
    await showDialog({ title: 'Rename the passkey' }, form({ button: 'Rename', submit, others: [cancel] }, input));
  }

  async #remove(id, name) {
    const text = `“${name}” will not work here any more. Delete it from your device as well. All other clients will be signed out.`;
    if (!(await confirm({ title: 'Remove the passkey?', text, button: 'Remove' }))) return;
    await client.call('passkeys:remove', { id });
    this.#refresh();
    say(`The passkey “${name}” was removed.`);
  }

  async #regenerate() {
    const isSure = await confirm({ title: 'New backup codes', text: 'Your current backup codes will stop working.', button: 'Create new codes' });
    if (isSure) this.#refresh((await client.call('passkeys:regenerateCodes')).codes);
  }

  #refresh(codes = this.#codes) {
    this.#codes = codes;
    this.#state = undefined;
    this.update();
    if (codes) this.element.querySelector('h3')?.focus();
  }

  #hideCodes() {
    this.#refresh(null);
    this.element.querySelector('button')?.focus();
  }
}

const ENABLED = 'Accounts_TwoFactorAuthentication_By_Passkey_Enabled';

/** Turns the errors of the browser into those of the pages. */
function explained(error) {
  if (error.error !== undefined) throw error;
  const known = error.name === 'InvalidStateError';
  throw Object.assign(new Error(), { error: known ? 'passkey-known' : 'passkey-not-made' });
}
