/** Who comes in at the ports of market data: whose token is good, and what one address may do. One for both ports, with counts of its own. */
import type { Server } from 'node:net';
import type { JwtGatekeeper } from '../access/jwt-gatekeeper.ts';
import type { Principal } from '../access/principal.ts';
import { ConnectionBound, FailedTokens } from '../protection/addresses.ts';

/** Of one address; as `protection` of the configuration has them. */
export interface EntranceBounds {
  /** To each of the two ports. */
  readonly connectionsPerAddress: number;
  readonly failedTokensPerSecond: number;
  readonly failedTokensBurst: number;
}

export class Entrance {
  readonly #gatekeeper: Pick<JwtGatekeeper, 'known' | 'authenticate'>;
  readonly #failedTokens: FailedTokens;
  #bounds: EntranceBounds;

  constructor(gatekeeper: Pick<JwtGatekeeper, 'known' | 'authenticate'>, bounds: EntranceBounds) {
    this.#gatekeeper = gatekeeper;
    this.#bounds = bounds;
    this.#failedTokens = new FailedTokens(failedTokensOf(bounds));
  }

  /** Other bounds from now on. */
  configure(bounds: EntranceBounds): void {
    this.#bounds = bounds;
    this.#failedTokens.configure(failedTokensOf(bounds));
  }

  /** Bounds the connections to a port. */
  watch(listener: Server): void {
    new ConnectionBound(() => this.#bounds.connectionsPerAddress).watch(listener);
  }

  /** The principal of a bearer token that came from `address`. Throws Problem: 401, or 429 when too many of that address were not accepted. */
  async authenticate(token: string | undefined, address: string | undefined): Promise<Principal> {
    return await this.#failedTokens.authenticate(this.#gatekeeper, token, address);
  }
}

function failedTokensOf(bounds: EntranceBounds): { perSecond: number; burst: number } {
  return { perSecond: bounds.failedTokensPerSecond, burst: bounds.failedTokensBurst };
}
