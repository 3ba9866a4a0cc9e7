// A mail server that keeps all mails.

import { once } from 'node:events';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export async function mailbox(visit) {
  const mails = [];
  const waiting = new Set();
  let isRefusing = false;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onRcptTo: (_, __, done) => done(isRefusing ? Object.assign(new Error('No such user'), { responseCode: 550 }) : undefined),
    onData: async (stream, _, done) => {
      mails.push(await simpleParser(stream));
      done();
      for (const look of waiting) look();
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  visit.endWith(() => new Promise((resolve) => server.close(resolve)));

  /** Returns the next mail to an address that has not been returned before. */
  const next = (address) =>
    new Promise((resolve) => {
      const look = () => {
        const place = mails.findIndex(({ to }) => to.value.some((one) => one.address === address));
        if (place < 0) return;
        waiting.delete(look);
        resolve(mails.splice(place, 1)[0]);
      };
      waiting.add(look);
      look();
    });
  return {
    url: `smtp://127.0.0.1:${server.server.address().port}`,
    next,
    nextCode: async (address) => /^\s*(\d{3}-\d{3})\s*$/m.exec((await next(address)).text)[1],
    /** The part of its link after `#`. */
    nextLink: async (address) => /https?:\/\/\S+?(#\/\S+)/.exec((await next(address)).text)[1],
    refuse: (isOn) => (isRefusing = isOn),
  };
}
