// Passkeys: between the JSON of the server and `navigator.credentials`. Only browsers have them, and only on pages of the
// domain to which the passkeys belong.

/** Returns whether this page can use passkeys of the domain `rpId`, or of any domain. An address of numbers is none. */
export function canUsePasskeys(rpId) {
  const host = globalThis.location?.hostname;
  if (!globalThis.isSecureContext || !globalThis.PublicKeyCredential || !navigator.credentials || !host) return false;
  if (rpId === undefined) return !/^[0-9.]+$|:/.test(host);
  return host === rpId || host.endsWith(`.${rpId}`);
}

/** Creates a passkey with the server's options. Resolves to the answer as JSON text. */
export async function createPasskey(options) {
  const publicKey = {
    ...options,
    challenge: fromBase64(options.challenge),
    user: { ...options.user, id: fromBase64(options.user.id) },
    excludeCredentials: options.excludeCredentials?.map(descriptor),
  };
  const credential = await navigator.credentials.create({ publicKey });
  const { clientDataJSON, attestationObject } = credential.response;
  const transports = credential.response.getTransports?.() ?? [];
  return answer(credential, { clientDataJSON: toBase64(clientDataJSON), attestationObject: toBase64(attestationObject), transports });
}

/** Signs the server's challenge with a passkey. `how` may have `mediation` and `signal`. Resolves to the answer as JSON text. */
export async function showPasskey(options, how = {}) {
  const publicKey = { ...options, challenge: fromBase64(options.challenge), allowCredentials: options.allowCredentials?.map(descriptor) };
  const credential = await navigator.credentials.get({ publicKey, ...how });
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  const response = { clientDataJSON: toBase64(clientDataJSON), authenticatorData: toBase64(authenticatorData), signature: toBase64(signature) };
  return answer(credential, userHandle ? { ...response, userHandle: toBase64(userHandle) } : response);
}

function answer({ id, rawId, type, authenticatorAttachment }, response) {
  return JSON.stringify({ id, rawId: toBase64(rawId), type, authenticatorAttachment, response, clientExtensionResults: {} });
}

function descriptor({ id, ...rest }) {
  return { ...rest, id: fromBase64(id) };
}

function fromBase64(text) {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function toBase64(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
