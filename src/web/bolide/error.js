// The errors of bolide.js: those that servers send, and its own.

/** The error of a failed call or subscription: `error` is its code; `reason` and `details` are as on the wire. */
export class DdpError extends Error {
  constructor({ error, reason, details, message, ...others }) {
    super(message ?? (reason ? `${reason} [${error}]` : `[${error}]`));
    this.name = 'DdpError';
    Object.assign(this, others, { error, reason, details });
  }
}

export const connectionLost = () => new DdpError({ error: 'connection-lost', reason: 'The connection was lost before the server answered. The call may have run' });
export const connectionClosed = () => new DdpError({ error: 'connection-closed', reason: 'The connection is closed' });
export const twoFactorCanceled = (details) => new DdpError({ error: 'totp-canceled', reason: 'Two-factor authentication was canceled', details });
