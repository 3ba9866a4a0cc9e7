// A button that sends a mail with a link to verify an address.

import { client } from '../client.js';
import { action } from '../form.js';
import { say } from '../messages.js';

export function verifyButton({ address }) {
  return action(`Send a mail to verify ${address}`, async () => {
    const isSent = await client.call('sendVerificationEmail', address);
    say(isSent ? `A mail is on its way to ${address}.` : 'No mail was sent: there were many lately. Try again later.');
  });
}
