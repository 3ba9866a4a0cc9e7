// A button that sends a mail with a link to verify an address.

import { client } from '../client.js';
import { action } from '../form.js';
import { say } from '../messages.js';

export function verifyButton(address, label = `Verify ${address}`) {
  const send = async () => {
    const isSent = await client.call('sendVerificationEmail', address);
    say(isSent ? `A mail was sent to ${address}.` : 'No mail was sent, because too many were sent recently. Try again later.');
  };
  return action(label, send, { 'aria-label': `Verify ${address}` });
}
