// Documents as rows of a list or table. A row keeps its focus and input until its document changes.

const FOCUSABLE = 'a[href], button, input, select, textarea, summary';

export class Rows {
  #container;
  #make;
  #rows = new Map();

  /** `make(item)` returns the row element of a document. */
  constructor(container, make) {
    this.#container = container;
    this.#make = make;
  }

  /** Shows these documents, in this order. */
  show(items) {
    const older = this.#rows;
    this.#rows = new Map(items.map((item) => [item._id, this.#rowFor(item, older.get(item._id))]));
    for (const [id, { row }] of older) if (!this.#rows.has(id)) this.#remove(row);
    this.#order();
  }

  #rowFor(item, older) {
    if (older?.item === item) return older;
    const row = this.#make(item);
    if (older) replaceKeepingFocus(older.row, row);
    return { item, row };
  }

  /** Moves the focus of a removed row to its neighbour. */
  #remove(row) {
    const hadFocus = row.contains(document.activeElement);
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    if (hadFocus) (neighbour?.querySelector(FOCUSABLE) ?? document.getElementById('main')).focus();
  }

  #order() {
    let next = this.#container.firstElementChild;
    for (const { row } of this.#rows.values()) {
      if (row === next) next = next.nextElementSibling;
      else this.#container.insertBefore(row, next);
    }
  }
}

function replaceKeepingFocus(older, row) {
  const place = [...older.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  older.replaceWith(row);
  if (place >= 0) row.querySelectorAll(FOCUSABLE)[place]?.focus();
}
