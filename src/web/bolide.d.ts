// Types for bolide.js.

/** Any EJSON value, including types that were registered with `EJSON.register`. */
export type Value = unknown;

export interface Options {
  /** The WebSocket constructor, for environments without a global one. */
  WebSocket?: new (url: string) => unknown;
  /** Whether to reconnect when the connection is lost. Default: true. */
  reconnect?: boolean;
  /** Delay before the first attempt to reconnect, in milliseconds. It doubles with each attempt. Default: 200. */
  shortestDelay?: number;
  /** Maximum delay between two attempts, in milliseconds. Default: 30 000. */
  longestDelay?: number;
  /** Timeout for the server's answer to `connect`, in milliseconds. Default: 10 000. */
  connectTimeout?: number;
  /** How long the connection may be silent before the client sends a ping, in milliseconds; 0 disables pings. Default: 17 500. */
  heartbeatInterval?: number;
  /** Timeout for the answer to a ping, in milliseconds. Default: 15 000. */
  heartbeatTimeout?: number;
}

export type Status = 'offline' | 'connecting' | 'connected' | 'waiting' | 'closed';

export interface Login {
  userId: string;
  /** The token for `loginWithToken`, valid until it expires. */
  token: string;
  tokenExpires?: Date;
}

/** Selects a user: a username, an e-mail address (a string with `@`), or exactly one of these objects. */
export type UserSelector = string | { id: string } | { username: string } | { email: string };

/** The server's request for a second factor. */
export interface Challenge {
  method: 'totp' | 'email' | 'password';
  /** As the server sent it: always with `availableMethods`, for 'email' also with `emailOrUsername` and `codeGenerated`. */
  details: { method: string; codeGenerated?: boolean; emailOrUsername?: string; availableMethods?: string[]; webauthn?: PasskeyRequest; [name: string]: unknown };
  /** `error.error` is 'totp-required' for the first code and 'totp-invalid' after a wrong code. */
  error: DdpError;
  /** 1 for the first code, 2 for the next, … */
  attempt: number;
  /** The call that needs a code. The params of a login are omitted, because they contain the password. */
  call: { method: string; params: Value[] };
}

/** A code or password, or the answer of a passkey from `showPasskey`; null cancels. */
export type Code = string | { webauthn: string } | null | undefined;

/** The options of a passkey as the server sends them: the JSON form of `PublicKeyCredentialRequestOptions`. */
export interface PasskeyRequest {
  challenge: string;
  rpId: string;
  timeout?: number;
  allowCredentials?: { type: string; id: string; transports?: string[] }[];
  userVerification?: string;
}

/** What `navigator.credentials.get` is told in addition. */
export interface PasskeyMediation {
  mediation?: 'optional' | 'required' | 'conditional' | 'silent';
  signal?: unknown;
}

export interface RegisteredPasskey {
  id: string;
  name: string;
  /** Backup codes, if the user had none. They are not shown again. */
  codes?: string[];
}

export interface Subscription {
  readonly id: string;
  readonly name: string;
  /** Resolves when all documents have arrived. Rejects with the server's error, or with `subscription-stopped`. */
  readonly ready: Promise<void>;
  /** Resolves when the subscription ends: to the error if it failed, otherwise to undefined. */
  readonly ended: Promise<DdpError | undefined>;
  /** Ends the subscription. The promise resolves when its documents have been removed. */
  stop(): Promise<DdpError | undefined>;
}

export interface Events {
  status: (status: Status) => void;
  /** `login` is null after a logout; `error` is set if the server rejected the token. */
  login: (login: Login | null, error?: DdpError) => void;
  /** The server's report of an invalid message from this client (DDP's `error` message), or an error for a malformed message from the server. */
  error: (problem: { msg: 'error'; reason: string; offendingMessage?: unknown } | Error) => void;
}

export class DdpClient {
  /** `url` defaults to the server that served this module. */
  constructor(url?: string, options?: Options);
  readonly status: Status;
  readonly userId: string | null;
  on<Event extends keyof Events>(event: Event, listener: Events[Event]): () => void;

  connect(): Promise<void>;
  reconnectNow(): void;
  close(): void;

  call<Result = any>(method: string, ...params: Value[]): Promise<Result>;
  onTwoFactor(ask: ((challenge: Challenge) => Code | Promise<Code>) | null, options?: { passkeys?: boolean }): void;

  loginWithPassword(credentials: { user: UserSelector; password: string }): Promise<Login>;
  loginWithToken(token: string): Promise<Login>;
  loginWithPasskey(how?: PasskeyMediation): Promise<Login>;
  login(credentials: object): Promise<Login>;
  loginBy(method: string, ...params: Value[]): Promise<Login>;
  logout(): Promise<void>;

  registerPasskey(name?: string): Promise<RegisteredPasskey>;

  subscribe(name: string, ...params: Value[]): Subscription;
  collection<Fields extends object = any>(name: string): Collection<Fields>;
}

export type Document<Fields extends object = any> = Fields & { _id: any };

export type Change<Fields extends object = any> =
  | { type: 'added'; id: any; document: Document<Fields>; previous?: undefined }
  | { type: 'changed'; id: any; document: Document<Fields>; previous?: Document<Fields> }
  | { type: 'removed'; id: any; document?: undefined; previous: Document<Fields> };

export class Collection<Fields extends object = any> implements Iterable<Document<Fields>> {
  private constructor();
  readonly name: string;
  readonly size: number;
  get(id: any): Document<Fields> | undefined;
  all(): Document<Fields>[];
  [Symbol.iterator](): Iterator<Document<Fields>>;
  onChange(listener: (change: Change<Fields>) => void): () => void;
}

export class DdpError extends Error {
  constructor(error: { error: string | number; reason?: string; details?: any; message?: string; [name: string]: unknown });
  /** The code, as the server sent it. Meteor's own codes are numbers, such as 403 and 404. */
  error: string | number;
  reason?: string;
  details?: any;
  errorType?: string;
  isClientSafe?: boolean;
}

export const EJSON: {
  encode(value: Value): any;
  decode(json: any): any;
  register<Type>(name: string, Class: new (...values: any[]) => Type, toJson: (value: Type) => any, fromJson: (json: any) => Type): void;
};

export class CustomValue {
  constructor(type: string, value: any);
  type: string;
  value: any;
}

/** Returns whether this page can use passkeys of the domain `rpId`, or of any domain. */
export function canUsePasskeys(rpId?: string): boolean;
/** Signs the challenge with a passkey. Resolves to the answer as JSON text. Rejects if the user declines. */
export function showPasskey(options: PasskeyRequest, how?: PasskeyMediation): Promise<string>;
export function passwordDigest(password: string): Promise<{ digest: string; algorithm: 'sha-256' }>;
export function sha256(text: string): Promise<string>;
export function typedCode(typed: string): string;
