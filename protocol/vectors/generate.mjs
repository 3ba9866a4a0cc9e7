// Writes the vectors in this directory. The npm package `ejson` decides about EJSON, and node decides about numbers, dates
// and regular expressions. Ids and random streams follow Meteor's `mongo-id` and `random`.
//
//   dir=$(mktemp -d) && npm install --prefix "$dir" ejson@2.2.3 && EJSON_FROM="$dir/" TZ=UTC node generate.mjs

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const EJSON = createRequire(process.env.EJSON_FROM ?? import.meta.url)('ejson');

// ---- values, in a notation that every language can read (see README.md)

class ObjectID {
  constructor(text) {
    if (typeof text !== 'string' || !/^[0-9a-f]{24}$/i.test(text)) {
      throw new Error('Invalid hexadecimal string for creating an ObjectID');
    }
    this._str = text.toLowerCase();
  }
  typeName() { return 'oid'; }
  toJSONValue() { return this._str; }
}

class Decimal {
  constructor(value) { this.value = value; }
  typeName() { return 'Decimal'; }
  toJSONValue() { return this.value; }
  toJSON() { return this.value; }
}

EJSON.addType('oid', (text) => new ObjectID(text));
EJSON.addType('Decimal', (value) => new Decimal(value));

function notation(value) {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : { number: String(value) };
  if (Array.isArray(value)) return { array: value.map(notation) };
  if (value instanceof Date) return { date: Number.isNaN(value.getTime()) ? null : value.getTime() };
  if (value instanceof RegExp) return { regexp: [value.source, value.flags] };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (value instanceof ObjectID) return { objectId: value._str };
  if (value instanceof Decimal) return { custom: ['Decimal', notation(value.value)] };
  return { object: Object.entries(value).map(([key, item]) => [key, notation(item)]) };
}

// ---- EJSON

const texts = [
  'null', 'true', 'false', '0', '-0', '1', '-1.5', '3.0', '1e2', '1e21', '1e-7', '0.1', '123456789.125',
  '9007199254740991', '9007199254740992', '-9007199254740992', '5e-324', '1.7976931348623157e308',
  '""', '"text"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u0000\\u001f\\u007f\\u2028\\u2029"', '"\\ud83d\\ude00"', '"é𝒳"', '"$date"',
  '[]', '{}', '[[],[[]],{}]', '[1,"a",null,true,{"b":[2]}]', '{"a":{"b":{"c":null}}}', '{"":1}', '{"a":1,"a":2}',
  '{"a":1,"b":2,"a":3}', ' { "a" : [ 1 , 2 ] } ', '{"_str":"a"}', '{"length":2}',

  '{"$date":0}', '{"$date":1}', '{"$date":-1}', '{"$date":1577836800123}', '{"$date":-62167219200000}',
  '{"$date":8640000000000000}', '{"$date":8640000000000001}', '{"$date":-8640000000000000}', '{"$date":9e15}',
  '{"$date":1.9}', '{"$date":-1.9}', '{"$date":-0.5}', '{"$date":8640000000000000.9}', '{"$date":null}', '{"$date":true}', '{"$date":false}', '{"$date":{}}',
  '{"$date":{"$date":1}}', '{"$date":"2020-01-01"}', '{"$date":"2020-01-01T00:00:00.123Z"}', '{"$date":"garbage"}',
  '{"$date":""}', '{"$date":[]}', '{"$date":1,"$date":2}', '[{"$date":1}]', '{"a":{"$date":1}}', '{"a":[{"b":{"$date":1}}]}',
  '{"$date":1,"x":2}', '{"$date":1,"$x":2}', '{"x":1,"$date":2}', '{"\\u0024date":7}',

  '{"$InfNaN":0}', '{"$InfNaN":1}', '{"$InfNaN":-1}', '{"$InfNaN":5}', '{"$InfNaN":-2.5}', '{"$InfNaN":null}',
  '{"$InfNaN":true}', '{"$InfNaN":false}', '{"$InfNaN":"x"}', '{"$InfNaN":""}', '{"$InfNaN":"-3"}', '{"$InfNaN":" 3 "}',
  '{"$InfNaN":"inf"}', '{"$InfNaN":"Infinity"}', '{"$InfNaN":[]}', '{"$InfNaN":[2]}', '{"$InfNaN":[1,2]}',
  '{"$InfNaN":{}}', '[{"$InfNaN":0},{"$InfNaN":1},{"$InfNaN":-1}]', '{"a":{"$InfNaN":0}}', '{"$InfNaN":1,"x":2}',

  '{"$binary":""}', '{"$binary":"QQ=="}', '{"$binary":"QUI="}', '{"$binary":"QUJD"}', '{"$binary":"AAEC/f7/"}',
  '{"$binary":"++//"}', '{"$binary":"QQ"}', '{"$binary":"QUI"}', '{"$binary":"Q"}', '{"$binary":"QQ=A"}', '{"$binary":"Q!=="}',
  '{"$binary":"QR=="}', '{"$binary":"Q-_Q"}', '{"$binary":"QQ\\nQQ"}', '{"$binary":"é"}', '{"$binary":"QUJDRE=A"}', '{"$binary":"QUJDRQ=A"}', '{"$binary":"QU!D"}', '{"$binary":"!!!!"}', '{"$binary":"AAAAA"}', '{"$binary":"="}',
  '{"$binary":"=="}', '{"$binary":"A="}', '{"$binary":"AA="}', '{"$binary":"😀"}', '{"$binary":"QQ😀"}',
  '{"$binary":"=QQQ"}', '{"$binary":"QQQQ===="}', '{"$binary":"Q=QQ"}', '{"$binary":5}', '{"$binary":null}', '{"$binary":[1]}',
  '{"$binary":{"length":0}}', '{"$binary":true}', '{"a":{"$binary":"QQ=="}}', '{"$binary":"QQ==","x":1}',

  '{"$escape":{"$date":1}}', '{"$escape":{"$binary":"QQ=="}}', '{"$escape":{"$InfNaN":0}}', '{"$escape":{"$regexp":"a","$flags":"g"}}',
  '{"$escape":{"$type":"oid","$value":1}}', '{"$escape":{"$escape":{"$date":1}}}',
  '{"$escape":{"$escape":{"$escape":{"$date":1}}}}', '{"$escape":{"$date":{"$date":9}}}', '{"$escape":{"$a":1,"b":{"$date":1}}}',
  '{"$escape":{}}', '{"$escape":{"a":1}}', '{"$escape":5}', '{"$escape":true}', '{"$escape":"ab"}', '{"$escape":""}',
  '{"$escape":[1,{"$date":1}]}', '{"$escape":[]}', '{"$escape":null}', '{"$escape":{"$date":1},"$x":2}',
  '{"$escape":{"$date":1},"x":2}', '{"a":{"$escape":{"$date":{"$escape":{"$date":1}}}}}', '{"$escape":{"$type":"x","$value":{"$date":1}}}',

  '{"$type":"oid","$value":"0123456789abcdef01234567"}', '{"$type":"oid","$value":"ABCDEFabcdef012345678901"}',
  '{"$value":"0123456789abcdef01234567","$type":"oid"}', '[{"$type":"oid","$value":"0123456789abcdef01234567"}]',
  '{"$type":"oid","$value":"0123"}', '{"$type":"oid","$value":"0123456789abcdef0123456g"}', '{"$type":"oid","$value":""}',
  '{"$type":"oid","$value":1}', '{"$type":"oid","$value":null}', '{"$type":"oid"}', '{"$value":1}',
  '{"$type":"Decimal","$value":"1.5"}', '{"$type":"Decimal","$value":{"$date":1}}', '{"$type":"Decimal","$value":[{"$escape":{"$date":1}}]}',
  '{"$type":"Decimal","$value":null}', '{"$type":"t","$value":1}', '{"a":[{"$type":"t","$value":1}]}', '{"$type":1,"$value":1}',
  '{"$type":null,"$value":1}', '{"$type":[1,null,"b"],"$value":1}', '{"$type":{"$date":1},"$value":1}', '{"$type":"toString","$value":1}',
  '{"$type":"t","$value":1,"x":2}', '{"$type":"t","value":1}',

  '{"$regexp":"a","$flags":""}', '{"$regexp":"a+b","$flags":"i"}', '{"$flags":"g","$regexp":"a"}', '{"$regexp":"a","$flags":"yugmi"}',
  '{"$regexp":"a","$flags":"gimuyyy"}', '{"$regexp":"a","$flags":"xsdgz"}', '{"$regexp":"","$flags":""}',
  `{"$regexp":"a","$flags":"${'x'.repeat(50)}g"}`, `{"$regexp":"a","$flags":"${'x'.repeat(49)}g"}`,
  '{"$regexp":"/","$flags":""}', '{"$regexp":"\\\\/","$flags":""}', '{"$regexp":"[/]","$flags":""}', '{"$regexp":"[\\\\]/]/","$flags":""}',
  '{"$regexp":"\\n\\r\\u2028\\u2029","$flags":""}', '{"$regexp":"\\\\\\n","$flags":""}', '{"$regexp":"[\\n]","$flags":""}', '{"$regexp":"\\\\\\\\/","$flags":""}',
  '{"$regexp":"^(?:a|b)*?(?=c)(?!d)(?<=e)(?<!f)(?<name>g)\\\\k<name>$","$flags":""}', '{"$regexp":"a{2}b{2,}c{2,3}?","$flags":""}',
  '{"$regexp":"a{","$flags":""}', '{"$regexp":"]}","$flags":""}', '{"$regexp":"[]","$flags":""}', '{"$regexp":"[^]","$flags":""}',
  '{"$regexp":"[[]","$flags":""}', '{"$regexp":"(?=a)*","$flags":""}', '{"$regexp":"()|","$flags":""}', '{"$regexp":"\\\\u{61}","$flags":"u"}',
  '{"$regexp":"(","$flags":""}', '{"$regexp":")","$flags":""}', '{"$regexp":"[","$flags":""}', '{"$regexp":"[\\\\]","$flags":""}',
  '{"$regexp":"*","$flags":""}', '{"$regexp":"a|*","$flags":""}', '{"$regexp":"(+)","$flags":""}', '{"$regexp":"a**","$flags":""}',
  '{"$regexp":"a*??","$flags":""}', '{"$regexp":"^*","$flags":""}', '{"$regexp":"a\\\\","$flags":""}', '{"$regexp":"(?a)","$flags":""}', '{"$regexp":"(?","$flags":""}',
  '{"$regexp":5,"$flags":""}', '{"$regexp":null,"$flags":"g"}', '{"$regexp":[],"$flags":"g"}', '{"$regexp":{},"$flags":"g"}',
  '{"$regexp":["a","b"],"$flags":"g"}', '{"$regexp":"a","$flags":5}', '{"$regexp":"a","$flags":null}', '{"$regexp":"a","$flags":["g"]}',
  '{"$regexp":"a"}', '{"$flags":"g"}', '{"$regexp":"a","$flags":"g","x":1}', '{"$regexp":"(","$flags":"","x":1}',

  '{"$foo":1}', '{"$foo":{"$date":1}}', '{"$set":{"at":{"$date":1}}}', '{"$a":1,"$b":2,"$c":3}', '{"$":1}', '{"$Date":1}', '{" $date":1}',
];

// JavaScript moves integer keys to the front. Only the sorted order is independent of that.
const toSort = [
  '{"b":1,"a":2,"B":3,"é":4,"10":5,"9":6,"":7}', '{"z":{"y":1,"x":[{"b":1,"a":2}]},"a":{"$date":3}}', '{"\\uffff":1,"\\ud83d\\ude00":2}',
  '{"$flags":"g","$regexp":"a"}', '{"$escape":{"$date":{"b":1,"a":2}}}',
];

const isMeteorsOwnText = (text) => /^(Custom EJSON type|Invalid hexadecimal|invalid base64)/.test(text);

function decoded(text) {
  const value = EJSON.parse(text);
  return {
    text,
    value: notation(value),
    printed: EJSON.stringify(value),
    canonical: EJSON.stringify(value, { canonical: true }),
    plain: JSON.stringify(value),
  };
}

function refused(text, error) {
  return isMeteorsOwnText(error.message) ? { text, error: error.message } : { text };
}

function ejson() {
  const vectors = { decoded: [], refused: [], sorted: [], indented: [] };
  for (const text of texts) {
    try {
      vectors.decoded.push(decoded(text));
    } catch (error) {
      vectors.refused.push(refused(text, error));
    }
  }
  for (const text of toSort) {
    vectors.sorted.push({ text, canonical: EJSON.stringify(EJSON.parse(text), { canonical: true }) });
  }
  const nested = '{"b":[],"a":[1,{"d":{},"c":{"$date":5}}],"t":"x"}';
  for (const indent of [true, 0, 1, 4, '\t', '--']) {
    for (const canonical of [false, true]) {
      const printed = EJSON.stringify(EJSON.parse(nested), { indent, canonical });
      vectors.indented.push({ text: nested, indent, canonical, printed });
    }
  }
  return vectors;
}

// ---- numbers and dates

function bitsOf(number) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
}

function numbers() {
  const chosen = [
    0, -0, 1, -1, 0.1, 0.5, 1 / 3, 100, 1e20, 1e21, -1e21, 1e22, 123456789012345680000, 1.5e300, 1e-6, 1e-7, 1.5e-7, -1e-7,
    0.000001234, 2 ** 53, 2 ** 53 + 2, 2 ** 63, 2 ** 64, -(2 ** 63), Number.MIN_VALUE, Number.MAX_VALUE, Number.EPSILON,
    4.35, 0.1 + 0.2, 5e-324, 9.5367431640625e-7, 999999999999999900000, 1e23, 2.2250738585072014e-308,
  ];
  const stream = new Alea(['numbers']);
  for (let index = 0; index < 400; index += 1) {
    const exponent = Math.floor(stream.fraction() * 640) - 320;
    chosen.push(Number(`${stream.fraction() * 20 - 10}e${exponent}`));
    chosen.push((stream.fraction() * 2 - 1) * 10 ** Math.floor(stream.fraction() * 25 - 3));
  }
  const finite = chosen.filter(Number.isFinite);
  return { printed: finite.map((number) => ({ bits: bitsOf(number), text: String(number) })) };
}

function dates() {
  const written = [
    '2020', '2020-02', '2020-02-03', '2020-02-03T04:05', '2020-02-03T04:05Z', '2020-02-03T04:05:06', '2020-02-03T04:05:06Z',
    '2020-02-03T04:05:06.7Z', '2020-02-03T04:05:06.78Z', '2020-02-03T04:05:06.789Z', '2020-02-03T04:05:06.7899999Z',
    '2020-02-03T04:05:06+01:30', '2020-02-03T04:05:06-01:30', '2020-02-03T24:00:00Z', '2020-02-29T00:00Z', '0000-01-01T00:00Z',
    '-000001-01-01T00:00:00Z', '+275760-09-13T00:00:00.000Z', '+275760-09-13T00:00:00.001Z', '-271821-04-20T00:00:00.000Z',
    '2020-01T00:00Z', '2020T00:00Z', '1969-12-31T23:59:59.999Z', '1900-03-01', '2000-02-29', '2400-12-31',
    '', '-', 'T', 'today', '2020-13-01', '2020-00-01', '2020-01-00', '2020-01-32', '2020-02-03T25:00Z', '2020-02-03T04:60Z',
    '2020-02-03T24:00:01Z', '2020-02-03T04:05:60Z', '2020-02-03T04:05:06.Z', '-000000-01-01T00:00:00Z', '2020-02-03T04:05:06Zx',
    // As clients in other languages write them.
    '2020-02-03T04:05:06+0000', '2020-02-03T04:05:06.000-0700', '2020-02-03T04:05:06.123456+0530', '2020-02-03 04:05:06Z',
    '2020-02-03 04:05:06 +0000', '2020-02-03 04:05:06.5+0100', '2020-02-03 04:05', '2020-02-03t04:05:06z', '2020-02-03T04:05:06 Z',
    '2020-02-03T04:05+00', '2020-02-03T04:05:06+7', '2020-02-03 04', '2020-02-03T04:05:06+2500', '2020-02-03T04:05:06+0060',
    '+002020-02-03T04:05:06+0000', '2020-02-03T04:05:06+01:00:00', ' 2020-02-03T04:05:06Z',
  ];
  const printed = [0, 1, -1, 999, 1000, 951782400000, 951868799999, -62135596800000, -62167219200000, -62167219200001,
    253402300799999, 253402300800000, 8640000000000000, -8640000000000000, 1709164800000, 4107542400000];
  const stream = new Alea(['dates']);
  for (let index = 0; index < 100; index += 1) printed.push(Math.floor((stream.fraction() * 2 - 1) * 8.64e15));
  return {
    parsed: written.map((text) => ({ text, milliseconds: notation(new Date(text)).date })),
    printed: printed.map((milliseconds) => ({ milliseconds, text: new Date(milliseconds).toISOString() })),
  };
}

// ---- document ids, as in Meteor's mongo-id

const looksLikeObjectId = (text) => /^[0-9a-f]{24}$/.test(text);

function idStringify(id) {
  if (id instanceof ObjectID) return id._str;
  if (typeof id === 'string') {
    return /^[-~{]/.test(id) || looksLikeObjectId(id) ? `-${id}` : id;
  }
  return id === undefined ? '-' : `~${JSON.stringify(id)}`;
}

function documentIds() {
  const ids = ['', 'a', 'kQ4fNzXrPvbGhDaL2', '-', '--', '-a', '~', '~1', '{', '{"a":1}', 'a-', 'a~', ' -', 'é𝒳', '"', '0123456789abcdef01234567',
    '0123456789ABCDEF01234567', '0123456789abcdef0123456', '0123456789abcdef012345678', new ObjectID('0123456789abcdef01234567'),
    0, 1, -1, 12, 1.5, 1e21, 1e-7, 9007199254740991, true, false, null, undefined];
  const written = (id) => ({ id: id === undefined ? { undefined: true } : notation(id), wire: idStringify(id) });
  return {
    both: ids.map(written),
    read: [{ wire: '~"a"', id: 'a' }, { wire: '~ 1', id: 1 }, { wire: '~1.0', id: 1 }, { wire: '{', id: '{' }],
    written: [{ id: { number: 'NaN' }, wire: '~null' }, { id: { number: 'Infinity' }, wire: '~null' }, { id: 0, wire: '~0' }],
    refused: ['~', '~x', '~"', '~1 2'],
  };
}

// ---- random streams, as in Meteor's random and ddp-common

function mash() {
  let n = 0xefc8249d;
  return (text) => {
    for (let index = 0; index < text.length; index += 1) {
      n += text.charCodeAt(index);
      let h = 0.02519603282416938 * n;
      n = h >>> 0;
      h -= n;
      h *= n;
      n = h >>> 0;
      h -= n;
      n += h * 0x100000000;
    }
    return (n >>> 0) * 2.3283064365386963e-10;
  };
}

class Alea {
  constructor(seeds) {
    const hash = mash();
    this.s = [hash(' '), hash(' '), hash(' ')];
    this.c = 1;
    for (const seed of seeds) {
      this.s = this.s.map((part) => {
        const left = part - hash(String(seed));
        return left < 0 ? left + 1 : left;
      });
    }
  }
  fraction() {
    const t = 2091639 * this.s[0] + this.c * 2.3283064365386963e-10;
    this.c = t | 0;
    this.s = [this.s[1], this.s[2], t - this.c];
    return this.s[2];
  }
  characters(alphabet, length) {
    return Array.from({ length }, () => alphabet[Math.floor(this.fraction() * alphabet.length)]).join('');
  }
  id(length = 17) { return this.characters('23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz', length); }
  hexString(length) { return this.characters('0123456789abcdef', length); }
  secret(length = 43) {
    return this.characters('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_', length);
  }
}

const rpcSeed = (seed, method) => new Alea([seed, `/rpc/${method}`]).hexString(20);

function randomStreams() {
  const seedLists = [['0'], [''], ['x'], ['é𝒳'], ['seed', 'coll'], ['abcdef', '/collection/foo'], ['abcdef', 'coll'],
    ['abcdef', 'default'], ['seed', '/rpc/foo'], ['a', 'b', 'c'], ['a fairly long seed with spaces and 0123456789']];
  const of = (seeds) => new Alea(seeds);
  const drawn = (seeds) => {
    const [ids, fractions] = [of(seeds), of(seeds)];
    return {
      seeds,
      ids: [ids.id(), ids.id(), ids.id(), ids.id()],
      fractions: [fractions.fraction(), fractions.fraction(), fractions.fraction()],
      hexString24: of(seeds).hexString(24),
      secret: of(seeds).secret(),
    };
  };
  const nested = (seed, methods, stream) => {
    const inner = methods.reduce(rpcSeed, seed);
    return { seed, methods, innerSeed: inner, stream, id: new Alea([inner, stream || 'default']).id() };
  };
  return {
    generators: seedLists.map(drawn),
    nested: [nested('S', ['rid'], 'c'), nested('seed', ['foo'], '/collection/c'), nested('seed', ['foo', 'bar'], 'default'),
      nested('seed', ['foo', 'bar'], '')],
  };
}

// ---- files

// One vector per line, so that a diff shows the changed vectors.
const list = (items) => `[\n${items.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n]`;
const sections = (lists) => Object.entries(lists).map(([name, items]) => `"${name}": ${list(items)}`).join(',\n');

const files = { ejson, numbers, dates, document_ids: documentIds, random_streams: randomStreams };
for (const [name, vectors] of Object.entries(files)) {
  writeFileSync(new URL(`${name}.json`, import.meta.url), `{\n${sections(vectors())}\n}\n`);
}
