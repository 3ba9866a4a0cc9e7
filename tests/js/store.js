// Documents by collection and id, for clients that store none. It is strict: contradictory messages are errors.

export class Store {
  #collections = {};
  #contradiction;

  /** Applies a data message from the server. */
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

  /** Returns the documents by id. Fails if the server sent contradictory messages. */
  documents(collection) {
    if (this.#contradiction) throw this.#contradiction;
    return this.#collections[collection] ?? {};
  }

  #expect(fits, contradiction) {
    if (!fits) this.#contradiction ??= new Error(contradiction);
  }
}
