// Documents by collection and id, for clients that keep none themselves. It is strict: a server must say what fits.

import assert from 'node:assert/strict';

export class Store {
  #collections = {};

  /** Keeps what a message of the server says of a document. */
  take({ msg, collection, id, fields, cleared = [] }) {
    const documents = (this.#collections[collection] ??= {});
    const known = id in documents;
    if (msg === 'added') {
      assert(!known, `${collection}/${id} was added twice`);
      documents[id] = { ...fields };
    } else if (msg === 'changed') {
      assert(known, `${collection}/${id} was changed but never added`);
      Object.assign(documents[id], fields);
      for (const field of cleared) delete documents[id][field];
    } else if (msg === 'removed') {
      assert(known, `${collection}/${id} was removed but never added`);
      delete documents[id];
    }
  }

  documents(collection) {
    return this.#collections[collection] ?? {};
  }
}
