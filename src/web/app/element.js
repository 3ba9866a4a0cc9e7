// Creates DOM elements in one expression.

/**
 * `element('button', { class: 'primary', onclick: save }, 'Save')`. Attributes and children that are null, undefined or false
 * are omitted. A child is an element or a text; texts never become markup.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) set(made, key, value);
  made.append(...children.flat(Infinity).filter(isThere));
  return made;
}

function set(made, key, value) {
  if (!isThere(value)) return;
  if (typeof value === 'function') made.addEventListener(key.replace(/^on/, ''), value);
  else if (key === 'value') made.value = value;
  else made.setAttribute(key, value === true ? '' : value);
}

function isThere(value) {
  return value !== null && value !== undefined && value !== false;
}
