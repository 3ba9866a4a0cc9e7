// The authenticator app: set it up with a QR code, confirm it with a first code, and turn it off.

import { typedCode } from '../../bolide.js';
import { client, currentUser } from '../client.js';
import { element } from '../element.js';
import { action, field, form } from '../form.js';
import { publicSetting, watch } from '../live.js';
import { say } from '../messages.js';
import { takeSetUp } from '../prompt.js';
import { copyButton, secretText } from '../secret.js';
import { badge, section } from '../section.js';
import { backupCodesLeft, newBackupCodes } from './backup-codes.js';
import { askForOwnCode } from './code-dialog.js';

const ABOUT = 'An app on your phone, such as Aegis, 1Password or Google Authenticator, shows a new code every 30 seconds.';

export function authenticatorSection(signal) {
  const panel = new AuthenticatorPanel();
  watch(signal, 'users', () => panel.update());
  watch(signal, 'publicSettings', () => panel.update());
  return panel.element;
}

/** Shows one of five views: no app, apps forbidden, setting one up, its new backup codes, or the actions for an existing one. */
class AuthenticatorPanel {
  element = element('div');
  #shown;
  #enrolment = null;
  #codes = null;

  update() {
    const view = this.#view();
    if (view === this.#shown) return;
    const isFirst = this.#shown === undefined;
    this.#shown = view;
    const hasApp = view === 'on' || view === 'codes';
    this.element.replaceChildren(
      section({ title: 'Authenticator app', state: hasApp ? badge('on', 'good') : badge('off'), about: ABOUT }, this.#content(view)),
    );
    if (!isFirst) (this.element.querySelector('input') ?? this.element.querySelector('h3, button'))?.focus();
  }

  #view() {
    if (this.#codes) return 'codes';
    if (currentUser()?.twoFactor?.totp) return 'on';
    if (publicSetting('Accounts_TwoFactorAuthentication_By_TOTP_Enabled') === false) return 'forbidden';
    return this.#enrolment ? 'enrolment' : 'off';
  }

  #content(view) {
    switch (view) {
      case 'forbidden':
        return element('p', { class: 'note' }, 'An admin has turned off authenticator apps.');
      case 'off':
        return action('Set up an authenticator app', () => this.#enrol(), { class: 'primary' });
      case 'enrolment':
        return enrolment(this.#enrolment, { confirm: (code) => this.#confirm(code), cancel: () => this.#cancel() });
      case 'codes':
        return newBackupCodes(this.#codes, () => this.#hideCodes());
      case 'on':
        return element(
          'div',
          {},
          backupCodesLeft(),
          element(
            'div',
            { class: 'buttons' },
            action('Create new backup codes', () => this.#regenerate()),
            action('Turn off the app', turnOff, { class: 'danger-quiet' }),
          ),
        );
    }
  }

  async #enrol() {
    this.#enrolment = await client.call('generate2faActivationQrCode');
    this.update();
  }

  #cancel() {
    takeSetUp();
    this.#enrolment = null;
    this.update();
  }

  async #confirm(code) {
    const { codes } = await client.call('2fa:validateTempToken', code);
    this.#enrolment = null;
    this.#showCodes(codes);
    say('Your authenticator app is set up. All other clients were signed out.');
  }

  async #regenerate() {
    const text = 'Your current backup codes will stop working.';
    await askForOwnCode({ title: 'New backup codes', text, button: 'Create new codes' }, async (code) => {
      const made = await client.call('2fa:regenerateCodes', code);
      if (!made) throw wrongCode();
      this.#showCodes(made.codes);
    });
  }

  #showCodes(codes) {
    this.#codes = codes;
    this.update();
  }

  #hideCodes() {
    this.#codes = null;
    this.update();
  }
}

function enrolment({ svg, secret }, { confirm, cancel }) {
  const qrCode = element('img', {
    class: 'qr-code',
    src: `data:image/svg+xml,${encodeURIComponent(svg)}`,
    alt: 'The QR code for your authenticator app',
    width: 200,
    height: 200,
  });
  return element(
    'div',
    { class: 'enrolment' },
    element(
      'div',
      {},
      element('h3', { tabindex: '-1' }, '1. Scan this QR code with your app'),
      qrCode,
      element('p', { class: 'hint' }, 'Or enter this key in the app:'),
      element('div', { class: 'inline' }, secretText(secret), copyButton(secret)),
    ),
    element(
      'div',
      {},
      element('h3', {}, '2. Enter the code that the app shows'),
      form(
        { button: 'Turn on the app', submit: ({ code }) => confirm(typedCode(code)), others: [action('Cancel', cancel, { class: 'quiet' })] },
        field({ label: 'Code', name: 'code', class: 'code', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 10, required: true }),
      ),
    ),
  );
}

async function turnOff() {
  const text = 'Only your password will protect your account, or codes by e-mail if they are on. Your backup codes will be deleted.';
  await askForOwnCode({ title: 'Turn off the authenticator app', text, button: 'Turn off the app', kind: 'danger' }, async (code) => {
    if (!(await client.call('2fa:disable', code))) throw wrongCode();
    say('The authenticator app was turned off.');
  });
}

function wrongCode() {
  return Object.assign(new Error(), { error: 'invalid-totp' });
}
