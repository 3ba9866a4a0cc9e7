// Documents by collection and id, for clients that keep none themselves. It is strict: a server must say what fits.

export class Store {
  #collections = {};
  #contradiction;

  /** Keeps what a message of the server says of a document. */
  take({ msg, collection, id, fields, cleared = [] }) {
    const documents = (this.#collections[collection] ??= {});
    if (msg === 'added') {
      this.#expect(!(id in documents), `${collection}/${id} was added twice`);
      documents[id] = { ...fields };
    } else if (msg === 'changed') {
      this.#expect(id in documents, `${collection}/${id} was changed but never added`);
      documents[id] = { ...documents[id], ...fields };
      for (const field of cleared) delete documents[id][field];
    } else if (msg === 'removed') {
      this.#expect(id in documents, `${collection}/${id} was removed but never added`);
      delete documents[id];
    }
  }

  /** Documents by id. Fails if the server has contradicted itself. */
  documents(collection) {
    if (this.#contradiction) throw this.#contradiction;
    return this.#collections[collection] ?? {};
  }

  #expect(fits, contradiction) {
    if (!fits) this.#contradiction ??= new Error(contradiction);
  }
}
