// All settings, in groups. Changes are saved together, with one prompt for a second factor.

import { client } from '../client.js';
import { element } from '../element.js';
import { explain } from '../explain.js';
import { action, field, form } from '../form.js';
import { subscribe, watch } from '../live.js';
import { say } from '../messages.js';
import { section } from '../section.js';
import { count } from '../text.js';
import { SettingRow } from './setting-row.js';

export function settingsPage({ signal }) {
  const panel = new SettingsPanel();
  const { ready, ended } = subscribe(signal, 'admin:settings');
  watch(signal, 'settings', (settings) => panel.show(settings));
  ready.then(
    () => panel.showNote(''),
    () => {},
  ); // `ended` reports failures
  ended.then((error) => error && !signal.aborted && panel.showNote(explain(error)));
  return panel.element;
}

class SettingsPanel {
  #note = element('p', { class: 'note', role: 'status' }, 'Loading …');
  #groups = element('div');
  #rows = new Map();
  #changes = element('span', { role: 'status' });
  #bar = this.#makeBar();
  #search = field({ label: 'Find a setting', type: 'search', autocomplete: 'off', oninput: () => this.#filter() });
  element = element(
    'div',
    {},
    element('p', { class: 'lead' }, 'Changes take effect at once, on every connection.'),
    this.#search,
    this.#note,
    this.#groups,
    this.#bar,
  );

  showNote(text) {
    this.#note.textContent = text;
    this.#note.hidden = text === '';
  }

  show(settings) {
    for (const setting of settings) {
      const row = this.#rows.get(setting._id);
      if (row) row.update(setting);
      else this.#add(setting);
    }
    this.#count();
  }

  #add(setting) {
    const row = new SettingRow(setting, () => this.#count());
    this.#rows.set(setting._id, row);
    this.#group(setting.group).append(row.element);
  }

  #group(name) {
    const there = [...this.#groups.children].find(({ dataset }) => dataset.group === name);
    if (there) return there;
    const made = section({ title: name });
    made.dataset.group = name;
    this.#groups.insertBefore(made, [...this.#groups.children].find(({ dataset }) => dataset.group > name) ?? null);
    return made;
  }

  #makeBar() {
    const discard = action('Discard', () => this.#discard(), { class: 'quiet' });
    const bar = form({ button: 'Save', submit: () => this.#save(), others: [discard] }, this.#changes);
    bar.className = 'save-bar';
    bar.hidden = true;
    return bar;
  }

  #changed() {
    return [...this.#rows.values()].filter((row) => row.isChanged);
  }

  #count() {
    const changed = this.#changed().length;
    this.#bar.hidden = changed === 0;
    this.#changes.textContent = count(changed, 'change');
  }

  async #save() {
    const changed = this.#changed();
    const wrong = changed.find((row) => !row.isValid);
    if (wrong) return wrong.report();
    await client.call(
      'saveSettings',
      changed.map(({ id, value }) => ({ _id: id, value })),
    );
    for (const row of changed) row.forgetChange();
    this.#count();
    say(`${count(changed.length, 'setting')} saved.`);
  }

  #discard() {
    for (const row of this.#changed()) row.discard();
    this.#count();
  }

  #filter() {
    const wanted = this.#search.querySelector('input').value.trim().toLowerCase();
    for (const row of this.#rows.values()) row.element.hidden = !row.text.includes(wanted);
    for (const group of this.#groups.children) group.hidden = !group.querySelector('.setting:not([hidden])');
  }
}
