// A small chart of the last 15 minutes: one line for each series, the latest value, and the same in words for screen readers.

import { element } from '../element.js';
import { svg } from '../svg.js';

const SAMPLES = 180;
const HEIGHT = 48;

export class Chart {
  #title;
  #unit;
  #lines;
  #picture = svg('svg', { role: 'img', viewBox: `0 0 ${SAMPLES} ${HEIGHT}`, preserveAspectRatio: 'none' });
  #most = element('span', { class: 'faint' });

  /** `series` are pairs of a name in words and `values(read)`, which returns the numbers; `read(id)` those of a series. */
  constructor({ title, unit, series }) {
    this.#title = title;
    this.#unit = unit;
    this.#lines = series.map(([name, values], place) => {
      const line = svg('polyline', { class: `line-${place}`, 'vector-effect': 'non-scaling-stroke', points: '' });
      this.#picture.append(line);
      return { name, values, line, latest: element('strong'), place };
    });
    this.element = element(
      'figure',
      { class: 'chart' },
      element('figcaption', {}, title, ' ', this.#most),
      this.#picture,
      element('p', { class: 'legend' }, this.#lines.map(legend)),
    );
  }

  /** Shows the numbers that `read(id)` returns. */
  show(read) {
    const all = this.#lines.map(({ values }) => values(read));
    const most = Math.max(0, ...all.flat());
    this.#lines.forEach(({ line, latest }, place) => {
      line.setAttribute('points', points(all[place], most));
      latest.textContent = this.#inWords(all[place].at(-1) ?? 0);
    });
    this.#most.textContent = `up to ${this.#inWords(most)}`;
    const spoken = this.#lines.map(({ name, latest }) => `${name} ${latest.textContent}`).join(', ');
    this.#picture.setAttribute('aria-label', `${this.#title} in the last 15 minutes: now ${spoken}; up to ${this.#inWords(most)}`);
  }

  #inWords(value) {
    const number = value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
    return this.#unit ? `${number} ${this.#unit}` : number;
  }
}

function legend({ name, latest, place }) {
  const sample = svg('svg', { viewBox: '0 0 16 4', 'aria-hidden': 'true' }, svg('polyline', { class: `line-${place}`, points: '0,2 16,2' }));
  return element('span', {}, sample, `${name} `, latest);
}

/** Returns the points of a line that ends at the right edge. */
function points(values, most) {
  const first = SAMPLES - values.length;
  const height = (value) => HEIGHT - 1 - (most > 0 ? (value / most) * (HEIGHT - 4) : 0);
  return values.map((value, place) => `${first + place},${height(value).toFixed(1)}`).join(' ');
}
