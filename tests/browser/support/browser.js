// Chromium, driven by Playwright. A warning or error in any page fails its test.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';
// Long enough for a busy machine: it limits waiting, not the speed of the pages.
const PATIENCE_MS = 30_000;

let browser;

before(async () => {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} does not exist; install Chromium (apt-get install chromium), or set CHROMIUM to its path.`);
  browser = await chromium.launch({ executablePath: PROGRAM, args: flags() });
});

after(() => browser?.close());

function flags() {
  // Pages that a test creates have no address, and would not be allowed to reach the server on this machine.
  const own = ['--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets'];
  // The sandbox does not work as root, as in containers.
  return process.getuid() === 0 ? [...own, '--no-sandbox'] : own;
}

/** A test with its own browsers. `check(visit)` opens them; afterwards, none of their pages may have reported a problem. */
export function browserTest(name, check) {
  test(name, async () => {
    const visit = new Visit();
    try {
      await check(visit);
      assert.deepEqual(visit.complaints, []);
    } finally {
      await visit.end();
    }
  });
}

class Visit {
  /** Errors and warnings of the console, exceptions, and violations of the Content-Security-Policy. */
  complaints = [];
  #ends = [];

  /** Opens a browser without cookies or storage, with one page at `address`. */
  async open(address, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 850 }, ...options });
    this.endWith(() => context.close());
    context.setDefaultTimeout(PATIENCE_MS);
    context.on('page', (page) => this.#watch(page));
    const page = await context.newPage();
    await page.goto(address);
    return page;
  }

  /** Opens another page in the same browser. */
  async openBeside(page, address) {
    const other = await page.context().newPage();
    await other.goto(address);
    return other;
  }

  /** Registers a function that runs when the test ends. */
  endWith(end) {
    this.#ends.unshift(end);
  }

  async end() {
    for (const end of this.#ends) await end();
  }

  #watch(page) {
    page.on('pageerror', (error) => this.complaints.push(`exception: ${error.stack}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(`${message.type()}: ${message.text()}`);
    });
  }
}
