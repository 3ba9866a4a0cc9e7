// Creates DOM elements. Texts never become markup.

/** Returns an element with properties, and texts or elements in it. */
export function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
