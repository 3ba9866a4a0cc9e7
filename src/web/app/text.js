// Formats times, clients and counts for people.

import { element } from './element.js';

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const ABSOLUTE = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const UNITS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];
const REFRESH_MS = 30_000;

/** Returns a relative time, which stays up to date. The tooltip shows the absolute time. */
export function time(date) {
  if (!date) return 'never';
  return element('time', { datetime: date.toISOString(), title: ABSOLUTE.format(date) }, relative(date));
}

/** Returns the time of day, for times in the near future. */
export function clockTime(date) {
  return new Intl.DateTimeFormat('en', { timeStyle: 'short' }).format(date);
}

/** Returns the date and time with seconds, for log entries. */
export function exactTime(date) {
  const text = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' }).format(date);
  return element('time', { datetime: date.toISOString(), class: 'exact' }, text);
}

setInterval(() => {
  for (const shown of document.querySelectorAll('time:not(.exact)')) shown.textContent = relative(new Date(shown.dateTime));
}, REFRESH_MS);

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? [];
  return unit ? RELATIVE.format(Math.round(seconds / length), unit) : 'just now';
}

const BROWSERS = [
  [/Edg\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\//, 'Firefox'],
  [/Chrom(e|ium)\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];
const SYSTEMS = [
  [/iPhone|iPad/, 'iOS'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

/** Returns a name such as `Firefox on Linux`. Clients that are not browsers are shown by their own name. */
export function clientName(userAgent) {
  if (!userAgent) return 'Unknown client';
  const named = (list) => list.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [browser, system] = [named(BROWSERS), named(SYSTEMS)];
  if (!browser) return userAgent.split(/[ /]/)[0];
  return system ? `${browser} on ${system}` : browser;
}

const SIZES = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
];

/** Returns a size such as `3.2 MB`. */
export function size(bytes) {
  const [unit, one] = SIZES.find(([, one]) => bytes >= one) ?? ['bytes', 1];
  const number = bytes / one;
  return `${number.toLocaleString('en', { maximumFractionDigits: number < 10 ? 1 : 0 })} ${unit}`;
}

/** Returns a count such as `3 users` or `1 user`. */
export function count(number, thing, things = `${thing}s`) {
  return `${number.toLocaleString('en')} ${number === 1 ? thing : things}`;
}
