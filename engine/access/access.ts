/** Who may do what in one engine: the gatekeeper with its keys, and how fast each user may send. One for all transports. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { RateLimiter } from '../gateway/rate-limit.ts';
import { FailedTokens } from '../protection/addresses.ts';
import { audienceOf } from './claims.ts';
import { JwtGatekeeper } from './jwt-gatekeeper.ts';
import { KeyFile } from './key-file.ts';
import type { Principal } from './principal.ts';

/** Whoever holds the admin token: the operator. */
const OPERATOR: Principal = { subject: 'operator', roles: ['admin'], accounts: 'all', expiresAtMs: Infinity, keyId: 'admin-token' };

export interface AccessOptions {
  /** Name of the engine: tokens must be for it. */
  readonly engine: string;
  readonly keysFile: string;
  /** Where the journal is: a key file beside it is looked at now and then, and not with every write. */
  readonly dataDirectory: string;
  readonly adminToken: string;
  /** Of one user. */
  readonly requestLimits: { perSecond: number; burst: number };
  /** Of one address. */
  readonly failedTokens: { perSecond: number; burst: number };
  readonly log: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

export class Access {
  readonly gatekeeper: JwtGatekeeper;
  readonly failedTokens: FailedTokens;
  #requestLimits: AccessOptions['requestLimits'];
  readonly #keyFile: KeyFile;
  readonly #users: RateLimiter;
  readonly #adminToken: Buffer;

  /** Throws ConfigError when the key file cannot be used. */
  constructor({ engine, keysFile, dataDirectory, adminToken, requestLimits, failedTokens, log }: AccessOptions) {
    this.#requestLimits = requestLimits;
    this.failedTokens = new FailedTokens(failedTokens);
    this.#users = new RateLimiter({ ordersPerSecond: requestLimits.perSecond, burst: requestLimits.burst });
    this.#adminToken = digest(adminToken);
    const isQuiet = resolve(dirname(keysFile)) !== resolve(dataDirectory);
    this.#keyFile = new KeyFile(
      keysFile,
      {
        onKeys: (keys) => {
          this.gatekeeper.setKeys(keys);
          log.info({ keys: [...keys.keys()] }, 'the keys of tokens have changed');
        },
        onRefused: (reason) => log.warn({ reason }, 'the changed key file is not taken: the keys from before stay in force'),
      },
      isQuiet,
    );
    this.gatekeeper = new JwtGatekeeper({ audience: audienceOf(engine), keys: this.#keyFile.first });
  }

  get requestLimits(): AccessOptions['requestLimits'] {
    return this.#requestLimits;
  }

  /** Other limits of the requests of a user, from now on. */
  configure(requestLimits: AccessOptions['requestLimits']): void {
    this.#requestLimits = requestLimits;
    this.#users.configure({ ordersPerSecond: requestLimits.perSecond, burst: requestLimits.burst });
  }

  get figures() {
    return { ...this.gatekeeper.figures, reloads: this.#keyFile.reloads };
  }

  /** The operator, when `token` is the admin token. */
  operator(token: string): Principal | undefined {
    // Digests have one length, so the comparison tells nothing about the token.
    return timingSafeEqual(digest(token), this.#adminToken) ? OPERATOR : undefined;
  }

  /** The principal of a bearer token that came from `address`. Throws Problem: 401, or 429 when too many of that address were not accepted. */
  async authenticate(token: string | undefined, address: string | undefined): Promise<Principal> {
    return await this.failedTokens.authenticate(this.gatekeeper, token, address);
  }

  /** Takes one request of a user: the milliseconds to wait when it has sent too many, else 0. */
  takeRequest(principal: Principal, nowMs: number): number {
    return principal === OPERATOR ? 0 : this.#users.take(principal.subject, nowMs);
  }

  /** Requests that a user may send at once, after {@link takeRequest}. */
  requestsLeft(principal: Principal): number {
    return principal === OPERATOR ? this.requestLimits.burst : this.#users.left(principal.subject);
  }

  stop(): void {
    this.#keyFile.stop();
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
