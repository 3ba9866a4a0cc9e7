// Asks for a second factor when a call needs one.

const dialog = document.getElementById('prompt');
const QUESTIONS = {
  totp: 'The code from your authenticator app, or a backup code',
  email: 'The code that was sent to you by e-mail',
  password: 'Your password',
};

/** Resolves to what the user enters, or to null if the user gives up. */
export async function askForCode({ method, error }) {
  const again = error.error === 'totp-invalid' ? 'That is wrong. ' : '';
  dialog.querySelector('span').textContent = again + QUESTIONS[method];
  dialog.querySelector('input').type = method === 'password' ? 'password' : 'text';
  dialog.querySelector('form').reset();
  dialog.returnValue = '';
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }));
  return dialog.returnValue === 'send' ? dialog.querySelector('input').value : null;
}
