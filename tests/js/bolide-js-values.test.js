// `bolide.js`: values on the wire as in the vectors, and SHA-256 with and without the browser's implementation.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { CustomValue, EJSON, sha256 } from '../../src/web/bolide.js';
import { decodeId, encodeId } from '../../src/web/bolide/documents.js';

describe('EJSON', () => {
  const vectors = async (name) => JSON.parse(await readFile(new URL(`../../protocol/vectors/${name}.json`, import.meta.url), 'utf8'));

  test('values decode and encode as in the vectors, except invalid base64', async () => {
    EJSON.register('oid', ObjectId, ({ hex }) => hex, (hex) => new ObjectId(hex));
    const unpadded = (text) => text.replace(/=*"/g, '"');
    const isBroken = ({ text, printed }) => text.includes('$binary') && (unpadded(text) !== unpadded(printed) || text.includes('"AA="'));
    for (const { text, value, printed } of (await vectors('ejson')).decoded.filter((vector) => !isBroken(vector))) {
      const decoded = EJSON.decode(JSON.parse(text));
      assert.deepEqual(plain(decoded), value, text);
      assert.equal(JSON.stringify(EJSON.encode(decoded)), printed, text);
    }
  });

  test('document ids are as in the vectors', async () => {
    const ids = await vectors('document_ids');
    for (const { id, wire } of [...ids.both, ...ids.read]) assert.deepEqual(plain(decodeId(wire)), id, wire);
    for (const { id, wire } of ids.both) assert.equal(encodeId(decodeId(wire)), wire, JSON.stringify(id));
  });

  test("an application's own type survives the round trip", () => {
    class Point {
      constructor(x, y) {
        Object.assign(this, { x, y });
      }
    }
    EJSON.register('point', Point, ({ x, y }) => [x, y], ([x, y]) => new Point(x, y));
    const wire = JSON.stringify(EJSON.encode({ at: new Point(1, 2) }));
    assert.equal(wire, '{"at":{"$type":"point","$value":[1,2]}}');
    assert.deepEqual(EJSON.decode(JSON.parse(wire)), { at: new Point(1, 2) });
  });

  test('a type that is not registered is sent back unchanged', () => {
    const wire = { $type: 'unheard-of', $value: { $date: 1 } };
    assert.deepEqual(EJSON.encode(EJSON.decode(wire)), wire);
  });

  class ObjectId {
    constructor(hex) {
      this.hex = hex.toLowerCase();
    }
  }

  /** Returns a value in the notation of the vectors. */
  function plain(value) {
    if (value === undefined) return { undefined: true };
    if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) };
    if (Object.is(value, -0)) return 0;
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Date) return { date: Number.isNaN(value.getTime()) ? null : value.getTime() };
    if (value instanceof Uint8Array) return { bytes: [...value] };
    if (value instanceof RegExp) return { regexp: [value.source, value.flags] };
    if (value instanceof ObjectId) return { objectId: value.hex };
    if (value instanceof CustomValue) return value.type === 'oid' ? { objectId: value.value } : { custom: [value.type, plain(value.value)] };
    if (Array.isArray(value)) return { array: value.map(plain) };
    return { object: Object.entries(value).map(([key, field]) => [key, plain(field)]) };
  }
});

describe('SHA-256', () => {
  // The first three are from FIPS 180-2, appendix B.
  const vectors = [
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
    ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ];

  const digests = async () => {
    for (const [text, hash] of vectors) assert.equal(await sha256(text), hash);
    for (let length = 0; length < 200; length += 1) {
      const text = 'é€👩'.repeat(length).slice(0, length);
      assert.equal(await sha256(text), createHash('sha256').update(text.toWellFormed?.() ?? text).digest('hex'), `length ${length}`);
    }
  };

  test('is correct with WebCrypto', digests);

  test('is correct without it, as on pages served over plain http', async (context) => {
    const { crypto } = globalThis;
    Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true });
    context.after(() => Object.defineProperty(globalThis, 'crypto', { value: crypto, configurable: true }));
    await digests();
  });
});
