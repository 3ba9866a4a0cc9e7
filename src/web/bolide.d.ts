// Types of bolide.js.

/** What EJSON can hold. Types that were registered with `EJSON.register` are welcome too. */
export type Value = unknown;

export interface Options {
  /** The constructor of WebSockets, where there is no global one. */
  WebSocket?: new (url: string) => unknown;
  /** Whether to connect again when the connection is lost. Default: true. */
  reconnect?: boolean;
  /** How long to wait before the first attempt to reconnect, in milliseconds; each further one waits twice as long. Default: 200. */
  shortestDelay?: number;
  /** The longest wait between two attempts, in milliseconds. Default: 30 000. */
  longestDelay?: number;
  /** How long a server may take to greet back, in milliseconds. Default: 10 000. */
  connectTimeout?: number;
  /** After how much silence the server is pinged, in milliseconds; 0 for never. Default: 17 500. */
  heartbeatInterval?: number;
  /** How long the server may take to answer a ping, in milliseconds. Default: 15 000. */
  heartbeatTimeout?: number;
}

export type Status = 'offline' | 'connecting' | 'connected' | 'waiting' | 'closed';

export interface Login {
  userId: string;
  /** For `loginWithToken`, as long as it has not expired. */
  token: string;
  tokenExpires?: Date;
}

/** Which user: a username, an e-mail address (a text with `@`), or exactly one of these. */
export type UserSelector = string | { id: string } | { username: string } | { email: string };

/** What the server asks for. */
export interface Challenge {
  method: 'totp' | 'email' | 'password';
  /** As the server sent it: for 'email' with `emailOrUsername` and `codeGenerated`, for all with `availableMethods`. */
  details: { method: string; codeGenerated?: boolean; emailOrUsername?: string; availableMethods?: string[]; [name: string]: unknown };
  /** `error.error` is 'totp-required' at first, 'totp-invalid' after a wrong code. */
  error: DdpError;
  /** 1 for the first code, 2 for the next, … */
  attempt: number;
  /** The call that needs it. A login shows no params: they hold the password. */
  call: { method: string; params: Value[] };
}

export type Code = string | null | undefined;

export interface Subscription {
  readonly id: string;
  readonly name: string;
  /** Settles when all documents are there; fails with what the server says, or `subscription-stopped`. */
  readonly ready: Promise<void>;
  /** Settles when the subscription is over: with an error, if it failed. */
  readonly ended: Promise<DdpError | undefined>;
  /** Ends it. The promise settles when its documents are gone. */
  stop(): Promise<DdpError | undefined>;
}

export interface Events {
  status: (status: Status) => void;
  /** Null after a logout; `error` if the server no longer took the token. */
  login: (login: Login | null, error?: DdpError) => void;
  /** The server's complaint of something that this client sent (Meteor's `error` message), or what it sent that makes no sense. */
  error: (problem: { msg: 'error'; reason: string; offendingMessage?: unknown } | Error) => void;
}

export class DdpClient {
  /** Without an address: that of the server that this module came from. */
  constructor(url?: string, options?: Options);
  readonly status: Status;
  readonly userId: string | null;
  on<Event extends keyof Events>(event: Event, listener: Events[Event]): () => void;

  connect(): Promise<void>;
  reconnectNow(): void;
  close(): void;

  call<Result = any>(method: string, ...params: Value[]): Promise<Result>;
  onTwoFactor(ask: ((challenge: Challenge) => Code | Promise<Code>) | null): void;

  loginWithPassword(credentials: { user: UserSelector; password: string }): Promise<Login>;
  loginWithToken(token: string): Promise<Login>;
  login(credentials: object): Promise<Login>;
  loginBy(method: string, ...params: Value[]): Promise<Login>;
  logout(): Promise<void>;

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
  /** The code, as the server sent it: Meteor's own are numbers, such as 403 and 404. */
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

export function passwordDigest(password: string): Promise<{ digest: string; algorithm: 'sha-256' }>;
export function sha256(text: string): Promise<string>;
