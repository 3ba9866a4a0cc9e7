// One setting: its description, its current value, and the value that the admin is entering.

import { element } from '../element.js';
import { action, newId } from '../form.js';
import { badge } from '../section.js';

export class SettingRow {
  #setting;
  #onChange;
  #input;
  #state = element('span', { class: 'hint' });
  #reset;

  constructor(setting, onChange) {
    this.#setting = setting;
    this.#onChange = onChange;
    this.id = setting._id;
    this.text = `${setting.description} ${setting._id} ${setting.group}`.toLowerCase();
    const id = newId();
    this.#state.id = `${id}-state`;
    this.#input = inputFor(setting, { id, 'aria-describedby': this.#state.id, oninput: () => this.#changed() });
    this.#reset = action('Reset to default', () => this.#setTo(this.#setting.default), {
      class: 'quiet small',
      'aria-label': `Reset to default: ${setting._id}`,
    });
    this.element = element(
      'div',
      { class: 'setting' },
      element('label', { for: id }, setting.description),
      element('div', { class: 'control' }, this.#input),
      element(
        'div',
        { class: 'inline' },
        element('code', { class: 'hint' }, setting._id),
        setting.public && badge('public'),
        this.#state,
        this.#reset,
      ),
    );
    this.#write(setting.value);
    this.#describe();
  }

  /** Shows the setting after a change by this or another admin. Unsaved input is kept. */
  update(setting) {
    const { isChanged } = this;
    this.#setting = setting;
    if (!isChanged) this.#write(setting.value);
    this.#input.disabled = setting.readonly;
    this.#describe();
  }

  get isChanged() {
    return !this.#setting.readonly && this.value !== this.#setting.value;
  }

  /** The value of the input; meaningless if `isValid` is false. */
  get value() {
    const { kind } = this.#setting;
    if (kind === 'boolean') return this.#input.checked;
    return kind === 'integer' ? this.#input.valueAsNumber : this.#input.value;
  }

  get isValid() {
    return this.#input.checkValidity();
  }

  /** Shows the browser's validation message. */
  report() {
    this.#input.reportValidity();
  }

  discard() {
    this.#setTo(this.#setting.value);
  }

  /** Treats the saved value as the setting's value, even before the server has published the change. */
  forgetChange() {
    this.#setting = { ...this.#setting, value: this.value };
    this.#describe();
  }

  #setTo(value) {
    this.#write(value);
    this.#changed();
  }

  #changed() {
    this.#describe();
    this.#onChange();
  }

  #write(value) {
    if (this.#setting.kind === 'boolean') this.#input.checked = value;
    else this.#input.value = value;
  }

  #describe() {
    const { readonly, kind, minimum, maximum } = this.#setting;
    const isDefault = this.value === this.#setting.default;
    const range = kind === 'integer' ? ` From ${minimum} to ${maximum}.` : '';
    this.element.classList.toggle('changed', this.isChanged);
    this.#reset.hidden = isDefault || readonly;
    this.#state.textContent = readonly
      ? `Set by the environment variable BOLIDE_SETTING_${this.id}.`
      : `Default: ${inWords(this.#setting.default)}.${range}`;
  }
}

function inputFor({ kind, minimum, maximum, readonly }, attributes) {
  const common = { ...attributes, disabled: readonly };
  if (kind === 'boolean') return element('input', { type: 'checkbox', role: 'switch', ...common });
  if (kind === 'integer') return element('input', { type: 'number', step: 1, min: minimum, max: maximum, required: true, ...common });
  return element('input', { type: 'text', spellcheck: 'false', autocomplete: 'off', ...common });
}

function inWords(value) {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return value === '' ? 'empty' : String(value);
}
