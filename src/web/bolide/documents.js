// The local documents of bolide.js, by collection and id.

import { CustomValue, EJSON } from './ejson.js';
import { listen, notify } from './listeners.js';

/** The local documents of a collection, each with its `_id`. Documents are never changed in place: a change creates a new one. */
export class Collection {
  #data;

  constructor(data) {
    this.#data = data;
  }

  get name() {
    return this.#data.name;
  }

  get size() {
    return this.#data.documents.size;
  }

  get(id) {
    return this.#data.documents.get(encodeId(id));
  }

  all() {
    return [...this];
  }

  [Symbol.iterator]() {
    return this.#data.documents.values();
  }

  /** Calls `listener({ type, id, document, previous })` at each change. Returns a function that removes the listener. */
  onChange(listener) {
    return listen(this.#data.listeners, listener);
  }
}

/** All documents. Those of a new session are collected separately, to avoid flicker, and then replace the older ones. */
export class Store {
  #collections = new Map();
  #gathered = null;

  get isIncomplete() {
    return this.#gathered !== null;
  }

  data(name) {
    if (!this.#collections.has(name)) this.#collections.set(name, new CollectionData(name));
    return this.#collections.get(name);
  }

  take(message) {
    const data = this.data(message.collection);
    const gathered = this.#gathered;
    if (!gathered) return data.take(data.documents, message, data.listeners);
    if (!gathered.has(message.collection)) gathered.set(message.collection, new Map());
    data.take(gathered.get(message.collection), message, noListeners);
  }

  beginNewSession() {
    const isEmpty = [...this.#collections.values()].every(({ documents }) => documents.size === 0);
    if (!isEmpty) this.#gathered = new Map();
  }

  replace() {
    const gathered = this.#gathered;
    this.#gathered = null;
    if (!gathered) return;
    for (const name of new Set([...this.#collections.keys(), ...gathered.keys()])) this.data(name).replace(gathered.get(name) ?? new Map());
  }
}

const noListeners = new Set();

class CollectionData {
  documents = new Map();
  listeners = new Set();
  view = new Collection(this);

  constructor(name) {
    this.name = name;
  }

  take(documents, { msg, id: key, fields, cleared = [] }, listeners) {
    const id = decodeId(key);
    const previous = documents.get(key);
    if (msg === 'removed') {
      if (documents.delete(key)) notify(listeners, { type: 'removed', id, previous });
      return;
    }
    const document = { ...previous, ...EJSON.decode(fields), _id: id };
    for (const field of cleared) delete document[field];
    // Events of a stream are changes of a document that was never added. Listeners get them; they are not stored.
    const isEvent = msg === 'changed' && !previous;
    if (!isEvent) documents.set(key, document);
    notify(isEvent ? this.listeners : listeners, { type: previous || isEvent ? 'changed' : 'added', id, document, previous });
  }

  replace(documents) {
    const older = this.documents;
    this.documents = documents;
    for (const [key, previous] of older) if (!documents.has(key)) notify(this.listeners, { type: 'removed', id: previous._id, previous });
    for (const [key, document] of [...documents]) {
      const previous = older.get(key);
      if (!previous) notify(this.listeners, { type: 'added', id: document._id, document });
      else if (isSame(previous, document)) documents.set(key, previous);
      else notify(this.listeners, { type: 'changed', id: document._id, document, previous });
    }
  }
}

function isSame(one, other) {
  const text = (document) => JSON.stringify(EJSON.encode(Object.fromEntries(Object.entries(document).sort())));
  return text(one) === text(other);
}

/** Returns a document id in its wire form, which is always a string. */
export function encodeId(id) {
  if (id instanceof CustomValue && id.type === 'oid') return id.value;
  if (typeof id !== 'string') return id === undefined ? '-' : `~${JSON.stringify(id)}`;
  return /^[-~{]|^[0-9a-f]{24}$/.test(id) ? `-${id}` : id;
}

export function decodeId(text) {
  if (text === '-') return undefined;
  if (text.startsWith('-')) return text.slice(1);
  if (text.startsWith('~')) return JSON.parse(text.slice(1));
  return /^[0-9a-f]{24}$/.test(text) ? new CustomValue('oid', text) : text;
}
