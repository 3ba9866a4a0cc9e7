// What users do on the pages, and what they see.

/** Waits for a page by its heading. */
export async function sees(page, heading) {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
}

/** Fills in the form to sign in. */
export async function signIn(page, user, password, { stay = false } = {}) {
  await page.getByLabel('Username or e-mail address').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  if (stay) await page.getByLabel('Stay signed in on this device').check();
  await press(page, 'Sign in');
}

/** Opens the pages as a user who has no second factor. */
export async function openAs(visit, server, user, password, path = '/account', options = {}) {
  const page = await visit.open(`${server.url}/#${path}`, options);
  await signIn(page, user, password);
  await page.getByRole('button', { name: 'Sign out', exact: true }).waitFor();
  return page;
}

export async function goTo(page, link) {
  await page.getByRole('navigation').getByRole('link', { name: link, exact: true }).click();
  await sees(page, link);
}

export async function press(page, name) {
  await page.getByRole('button', { name, exact: true }).click();
}

/** Answers the prompt for a second factor. */
export async function answer(page, code) {
  const dialog = question(page);
  await dialog.getByRole('textbox').fill(code);
  await dialog.getByRole('button', { name: 'Confirm' }).click();
}

export function question(page) {
  return page.getByRole('dialog', { name: 'Confirm that it is you' });
}

/** Confirms in a confirmation dialog. */
export async function confirm(page, button) {
  await page.getByRole('alertdialog').getByRole('button', { name: button }).click();
}

/** Waits for a short message. */
export async function hears(page, text) {
  await page.getByRole('log').getByText(text).first().waitFor();
}
