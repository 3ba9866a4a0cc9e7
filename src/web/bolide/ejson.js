// EJSON: JSON with dates, bytes, NaN, infinities, regular expressions, and an application's own types.

const types = new Map();

export const EJSON = {
  /** Converts a value to plain JSON. */
  encode,
  /** Converts plain JSON back to the value. */
  decode,
  /** Registers an application's type: values of `Class` are sent as `$type: name` with the result of `toJson`. */
  register(name, Class, toJson, fromJson) {
    types.set(name, { Class, toJson, fromJson });
  },
};

/** A value of a type that is not registered. It is sent back unchanged. */
export class CustomValue {
  constructor(type, value) {
    this.type = type;
    this.value = value;
  }
}

function encode(value) {
  if (typeof value === 'number' && !Number.isFinite(value)) return { $InfNaN: Number.isNaN(value) ? 0 : Math.sign(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return { $date: value.getTime() };
  if (value instanceof RegExp) return { $regexp: value.source, $flags: value.flags };
  if (value instanceof Uint8Array) return { $binary: toBase64(value) };
  if (value instanceof CustomValue) return { $type: value.type, $value: value.value };
  if (Array.isArray(value)) return value.map(encode);
  for (const [name, { Class, toJson }] of types) if (value instanceof Class) return { $type: name, $value: toJson(value) };
  const fields = mapFields(value, encode);
  return formOf(value) ? { $escape: fields } : fields;
}

function decode(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(decode);
  switch (formOf(value)) {
    case '$date':
      return new Date(value.$date);
    case '$InfNaN':
      return value.$InfNaN / 0;
    case '$binary':
      return fromBase64(value.$binary);
    case '$escape':
      return mapFields(value.$escape, decode);
    case '$regexp':
      return new RegExp(value.$regexp, knownFlags(value.$flags));
    case '$type':
      return decodeCustom(value.$type, value.$value);
    default:
      return mapFields(value, decode);
  }
}

/** Returns the key of the EJSON form that the object has, or undefined. */
function formOf(object) {
  const keys = Object.keys(object);
  if (keys.length === 1) return ['$date', '$InfNaN', '$binary', '$escape'].find((form) => form === keys[0]);
  if (keys.length !== 2) return undefined;
  return [['$regexp', '$flags'], ['$type', '$value']].find((form) => form.every((key) => keys.includes(key)))?.[0];
}

function decodeCustom(name, value) {
  const type = types.get(name);
  return type ? type.fromJson(value) : new CustomValue(name, value);
}

function mapFields(object, map) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}

function knownFlags(flags) {
  return [...new Set(flags.slice(0, 50).replace(/[^gimuy]/g, ''))].join('');
}

function toBase64(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(text) {
  if (typeof text !== 'string') throw new TypeError('$binary is not a string');
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
