// Forms, fields and buttons that act on the server: they show that they are busy, and errors.

import { element } from './element.js';
import { explain, isCancelled } from './explain.js';
import { complain } from './messages.js';

let ids = 0;

/** Creates a form that calls `submit(values)`. Errors are shown above the button. `kind` is the class of the button. */
export function form({ button, submit, kind = 'primary', others = [] }, ...fields) {
  const problem = element('p', { class: 'problem', role: 'alert' });
  const send = element('button', { class: kind }, button);
  const made = element('form', { method: 'post' }, ...fields, problem, element('div', { class: 'buttons' }, send, ...others));
  made.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (isBusy(send)) return;
    problem.textContent = '';
    await whileBusy(send, async () => {
      try {
        await submit(valuesOf(made), made);
      } catch (error) {
        if (!isCancelled(error)) problem.textContent = explain(error);
      }
    });
  });
  return made;
}

/** Creates a labelled input with a hint below. */
export function field({ label, hint, type = 'text', ...attributes }) {
  const id = newId();
  const described = hint && `${id}-hint`;
  const input = element('input', { id, type, 'aria-describedby': described, ...attributes });
  return element(
    'div',
    { class: 'field' },
    element('label', { for: id }, label),
    type === 'password' ? withPeeking(input) : input,
    hint && element('p', { id: described, class: 'hint' }, hint),
  );
}

/** Creates a labelled select. `options` are pairs of value and text. */
export function choice({ label, options, ...attributes }) {
  const id = newId();
  const made = options.map(([value, text]) => element('option', { value }, text));
  return element('div', { class: 'field' }, element('label', { for: id }, label), element('select', { id, ...attributes }, made));
}

/** Creates a checkbox with its label. */
export function checkbox({ label, hint, ...attributes }) {
  const id = newId();
  const described = hint && `${id}-hint`;
  const input = element('input', { id, type: 'checkbox', 'aria-describedby': described, ...attributes });
  return element(
    'div',
    { class: 'check' },
    input,
    element('label', { for: id }, label),
    hint && element('p', { id: described, class: 'hint' }, hint),
  );
}

/** Creates a button that calls `run`. Errors are shown as messages. */
export function action(label, run, attributes = {}) {
  const button = element('button', { type: 'button', ...attributes }, label);
  button.addEventListener('click', async () => {
    if (isBusy(button)) return;
    await whileBusy(button, () => Promise.resolve().then(run).catch(complain));
  });
  return button;
}

/** Returns a new id for an element that a label or description refers to. */
export function newId() {
  ids += 1;
  return `field-${ids}`;
}

/** Adds a button that shows the password. */
function withPeeking(input) {
  const peek = element('button', { type: 'button', class: 'quiet peek', 'aria-pressed': 'false', 'aria-label': 'Show the password' }, 'Show');
  peek.addEventListener('click', () => {
    const isShown = input.type === 'text';
    input.type = isShown ? 'password' : 'text';
    peek.setAttribute('aria-pressed', String(!isShown));
  });
  return element('div', { class: 'password' }, input, peek);
}

function valuesOf(made) {
  const values = Object.fromEntries(new FormData(made));
  for (const { name, checked } of made.querySelectorAll('input[type=checkbox]')) if (name) values[name] = checked;
  return values;
}

/** Marks the button as busy instead of disabling it: a disabled button would lose its focus. */
async function whileBusy(button, run) {
  button.setAttribute('aria-busy', 'true');
  button.setAttribute('aria-disabled', 'true');
  try {
    await run();
  } finally {
    button.removeAttribute('aria-busy');
    button.removeAttribute('aria-disabled');
  }
}

function isBusy(button) {
  return button.getAttribute('aria-busy') === 'true';
}
