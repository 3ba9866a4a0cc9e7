// A mail server that keeps all mails: `smtp-server`.

import { EventEmitter, once } from 'node:events';
import { SMTPServer } from 'smtp-server';

export class Mailbox extends EventEmitter {
  /** All mails so far: `{ to: [address], text }`. */
  mails = [];
  #server;

  static async open() {
    const mailbox = new Mailbox();
    mailbox.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData: (stream, session, done) => mailbox.#receive(stream, session, done),
    });
    // The server under test may be stopped while it sends a mail.
    mailbox.#server.on('error', () => {});
    mailbox.#server.listen(0, '127.0.0.1');
    await once(mailbox.#server.server, 'listening');
    return mailbox;
  }

  /** The arguments for the server under test. */
  get url() {
    return `smtp://127.0.0.1:${this.#server.server.address().port}`;
  }

  /** Resolves to the next unread mail to an address. */
  async next(address) {
    const find = () => this.mails.find((mail) => !mail.isRead && mail.to.includes(address));
    for (let mail = find(); ; mail = find()) {
      if (mail) return Object.assign(mail, { isRead: true });
      await once(this, 'mail');
    }
  }

  /** Resolves to the six digits in the next mail to an address. */
  async nextCode(address) {
    const { text } = await this.next(address);
    return /^\D*(\d{3}-\d{3})\s*$/m.exec(text)[1];
  }

  close() {
    return new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(stream, session, done) {
    let text = '';
    try {
      for await (const piece of stream) text += piece;
    } catch {
      return;
    }
    this.mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text });
    done();
    this.emit('mail');
  }
}
