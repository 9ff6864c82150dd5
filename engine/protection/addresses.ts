/** What one address may do: how many connections it may have open, and how many tokens that are not accepted it may send. */
import type { Server, Socket } from 'node:net';
import { RateLimiter } from '../gateway/rate-limit.ts';
import { Problem } from '../service/problem.ts';

/** The one that is bounded: of IPv6 the network of 64 bits, since a client has all of its addresses. */
export function boundedAddress(address: string | undefined): string {
  if (address === undefined) return '';
  if (!address.includes(':')) return address;
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length);
  const [before = [], after] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = after === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...(after ?? [])];
  return groups.slice(0, 4).join(':');
}

/** Connections to one port, by address. */
export class ConnectionBound {
  readonly #most: () => number;
  readonly #open = new Map<string, number>();
  /** Connections that were ended at once. */
  refused = 0;

  constructor(most: () => number) {
    this.#most = most;
  }

  /** Whether a connection is one too many, and then ended. Counts it until it is closed. */
  refuses(socket: Socket): boolean {
    const address = boundedAddress(socket.remoteAddress);
    const open = this.#open.get(address) ?? 0;
    if (open >= this.#most()) {
      this.refused += 1;
      socket.destroy();
      return true;
    }
    this.#open.set(address, open + 1);
    socket.once('close', () => {
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left === 0) this.#open.delete(address);
      else this.#open.set(address, left);
    });
    return false;
  }

  /** Bounds all connections of a server, before anything is read of them. */
  watch(server: Server): void {
    server.prependListener('connection', (socket: Socket) => void this.refuses(socket));
  }
}

const MOST_ADDRESSES = 10_000;

/** Who reads tokens; `known` gives at once what it has read before. */
interface TokenReader<Principal> {
  known(token: string): Principal | undefined;
  authenticate(token: string | undefined): Promise<Principal>;
}

/** Tokens that were not accepted, by address: a token bucket each. */
export class FailedTokens {
  readonly #limiter: RateLimiter;
  /** Tokens that were not looked at. */
  refused = 0;

  constructor(limits: { perSecond: number; burst: number }) {
    this.#limiter = new RateLimiter({ ordersPerSecond: limits.perSecond, burst: limits.burst }, MOST_ADDRESSES);
  }

  configure(limits: { perSecond: number; burst: number }): void {
    this.#limiter.configure({ ordersPerSecond: limits.perSecond, burst: limits.burst });
  }

  /** Throws Problem (429) when the address has sent too many: a token that is not known is not looked at then. */
  require(address: string | undefined): void {
    const key = boundedAddress(address);
    if (this.#limiter.available(key, performance.now()) >= 1) return;
    this.refused += 1;
    throw new Problem('HFT_TOKEN_RATE_LIMIT', 'too many tokens that are not accepted came from this address: wait, and send a good one', {
      retryAfterMs: 1000,
    });
  }

  /**
   * The principal of a bearer token that came from `address`, as `gatekeeper` says. Throws Problem: 401, which is counted, or 429 when too many of that
   * address were not accepted.
   */
  async authenticate<Principal>(
    gatekeeper: TokenReader<Principal>,
    token: string | undefined,
    address: string | undefined,
  ): Promise<Principal> {
    // Refusing a request without a token costs nothing.
    if (token === undefined) return await gatekeeper.authenticate(token);
    const known = gatekeeper.known(token);
    if (known !== undefined) return known;
    this.require(address);
    try {
      return await gatekeeper.authenticate(token);
    } catch (cause) {
      if (cause instanceof Problem && cause.status === 401) this.failed(address);
      throw cause;
    }
  }

  /** One more was not accepted. */
  failed(address: string | undefined): void {
    this.#limiter.take(boundedAddress(address), performance.now());
  }
}
