/** What every way of sending orders over HTTP passes: the rate of its account, and the session of its connection. */
import type { Socket } from 'node:net';
import type { Engine } from '../../service/engine.ts';
import { Problem } from '../../service/problem.ts';
import type { RateLimiter } from '../rate-limit.ts';

export class OrderGate {
  readonly limiter: RateLimiter;
  readonly #engine: Engine;
  readonly #sessions = new WeakMap<Socket, number>();

  constructor(engine: Engine, limiter: RateLimiter) {
    this.#engine = engine;
    this.limiter = limiter;
  }

  /** Throws Problem (429) when the account has used up its rate. */
  requireToken(account: string): void {
    const waitMs = this.limiter.take(account, performance.now());
    if (waitMs === 0) return;
    const { ordersPerSecond } = this.#engine.config.limits;
    throw new Problem('HFT_RATE_LIMIT', `account ${account} may send ${ordersPerSecond} orders a second: wait ${Math.ceil(waitMs)} ms`, {
      retryAfterMs: waitMs,
    });
  }

  /** The session of a connection: what is sent in it is cancelled when the connection ends. Throws Problem. */
  sessionOf(socket: Socket): number {
    // Nobody would end the session of a connection that has ended already.
    if (socket.destroyed) throw new Problem('HFT_BAD_REQUEST', 'the connection has ended');
    const known = this.#sessions.get(socket);
    if (known !== undefined) return known;
    const session = this.#engine.sessions.open();
    this.#sessions.set(socket, session);
    socket.once('close', () => this.#engine.sessions.end(session));
    return session;
  }
}
