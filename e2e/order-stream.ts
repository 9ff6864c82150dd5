/**
 * A stream of orders that keeps account of every answer, so that it can be checked afterwards that the engine lost nothing and did nothing
 * twice. It goes on through restarts: what was not answered is counted as unknown, and may or may not be on the books.
 */
import { connect, EngineError, type EngineClient, type NewOrder, type Order } from '../engine/client/index.ts';

export interface OrderStreamOptions {
  /** Address of the orders port at this moment; asked again after a connection failed. */
  url(): Promise<string>;
  /** Asked with each new connection. */
  token(): Promise<string>;
  symbol: string;
  /** Prices go from this up, one tick a step, as decimals with `priceDigits` digits. */
  basePrice: number;
  priceDigits: number;
  quantity: string;
  /** Prefix of the two accounts that trade with each other. */
  account: string;
  /** Orders in flight at once. Default 4. */
  workers?: number;
  /** Stop by itself after so many acknowledged orders. */
  maxOrders?: number;
}

export interface StreamReport {
  acknowledged: number;
  fills: number;
  /** Sent, and no answer came: a restart took the connection. */
  unknown: number;
  /** Answers with a code other than success, by code. */
  refused: Readonly<Record<string, number>>;
  /** Longest time without an acknowledgement. */
  longestGapMs: number;
  /** Time from sending to the acknowledgement, sorted. */
  latenciesMs: readonly number[];
}

const CALL_TIMEOUT_MS = 3_000;
const PAUSE_AFTER_FAILURE_MS = 50;

export class OrderStream {
  readonly #options: OrderStreamOptions;
  readonly #orders = new Map<string, Order>();
  readonly #fills = new Set<string>();
  readonly #unknown = new Set<string>();
  readonly #refused: Record<string, number> = {};
  readonly #latenciesMs: number[] = [];
  readonly #workers: Promise<void>[] = [];
  readonly #run = `${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
  /** Shared by all workers; made anew by the first that needs it after a failure. */
  #client: Promise<EngineClient> | undefined;
  #stopped = false;
  #sent = 0;
  #lastAckMs = performance.now();
  #longestGapMs = 0;

  constructor(options: OrderStreamOptions) {
    this.#options = options;
  }

  get acknowledged(): number {
    return this.#orders.size;
  }

  start(): this {
    this.#lastAckMs = performance.now();
    for (let worker = 0; worker < (this.#options.workers ?? 4); worker++) this.#workers.push(this.#work());
    return this;
  }

  /** Resolves when every worker has its last answer, or its time-out. */
  async stop(): Promise<StreamReport> {
    this.#stopped = true;
    return await this.finished();
  }

  /** Resolves when the stream has stopped by itself (`maxOrders`) or was stopped. */
  async finished(): Promise<StreamReport> {
    await Promise.all(this.#workers);
    await (await this.#client?.catch(() => undefined))?.close();
    return {
      acknowledged: this.#orders.size,
      fills: this.#fills.size,
      unknown: this.#unknown.size,
      refused: this.#refused,
      longestGapMs: this.#longestGapMs,
      latenciesMs: this.#latenciesMs.toSorted((a, b) => a - b),
    };
  }

  /**
   * Compares what was acknowledged with what the engine has now. Returns every difference in words; none is the only good answer.
   * Reads all orders and fills page by page, so call it when the stream has stopped.
   */
  async differences(client: Pick<EngineClient, 'orders' | 'fills'>): Promise<string[]> {
    const found: string[] = [];
    const orders = await everything((after) => client.orders({ limit: 500, ...(after === undefined ? {} : { after }) }));
    const fills = await everything((after) => client.fills({ limit: 500, ...(after === undefined ? {} : { after }) }));
    const byClientId = new Map<string, Order[]>();
    for (const order of orders) {
      if (order.clientOrderId !== undefined) byClientId.set(order.clientOrderId, [...(byClientId.get(order.clientOrderId) ?? []), order]);
    }
    for (const [clientOrderId, order] of this.#orders) {
      const stored = byClientId.get(clientOrderId) ?? [];
      if (stored.length !== 1) found.push(`acknowledged order ${order.id} (${clientOrderId}) is there ${stored.length} times`);
      else if (stored[0]?.id !== order.id || stored[0].price !== order.price || stored[0].quantity !== order.quantity) {
        found.push(`acknowledged order ${order.id} is stored as ${JSON.stringify(stored[0])}`);
      }
    }
    for (const [clientOrderId, stored] of byClientId) {
      if (!clientOrderId.startsWith(`${this.#run}-`) || this.#orders.has(clientOrderId)) continue;
      if (!this.#unknown.has(clientOrderId)) found.push(`order ${clientOrderId} is stored though it was refused or never sent`);
      if (stored.length > 1) found.push(`unanswered order ${clientOrderId} is there ${stored.length} times`);
    }
    const storedFills = new Map<string, number>();
    for (const fill of fills) storedFills.set(fillKey(fill), (storedFills.get(fillKey(fill)) ?? 0) + 1);
    for (const [key, count] of storedFills) if (count > 1) found.push(`fill ${key} is there ${count} times`);
    for (const key of this.#fills) if (!storedFills.has(key)) found.push(`acknowledged fill ${key} is gone`);
    return found;
  }

  async #work(): Promise<void> {
    while (!this.#stopped && (this.#options.maxOrders === undefined || this.#sent < this.#options.maxOrders)) {
      await this.#placeOne(this.#sent++);
    }
  }

  async #connect(): Promise<EngineClient> {
    const [url, token] = await Promise.all([this.#options.url(), this.#options.token()]);
    return await connect({ url, token, timeoutMs: CALL_TIMEOUT_MS });
  }

  async #placeOne(n: number): Promise<void> {
    const { symbol, basePrice, priceDigits, quantity, account } = this.#options;
    const clientOrderId = `${this.#run}-${n}`;
    // A seller rests, the next buyer takes it: half of all orders fill at once.
    const price = (basePrice + (Math.floor(n / 2) % 100) / 10 ** priceDigits).toFixed(priceDigits);
    const order: NewOrder = {
      symbol,
      account: `${account}-${n % 2}`,
      side: n % 2 === 0 ? 'sell' : 'buy',
      type: 'limit',
      timeInForce: 'GTC',
      price,
      quantity,
      clientOrderId,
    };
    this.#client ??= this.#connect();
    const connecting = this.#client;
    let sentMs = performance.now();
    try {
      const client = await connecting;
      sentMs = performance.now();
      const placed = await client.place(order);
      this.#acknowledge(clientOrderId, placed, sentMs);
    } catch (error) {
      if (error instanceof EngineError && error.status !== 0) this.#refused[error.code] = (this.#refused[error.code] ?? 0) + 1;
      else {
        this.#unknown.add(clientOrderId);
        if (this.#client === connecting) this.#client = undefined;
        await connecting.then(
          (client) => client.close(),
          () => undefined,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
    }
  }

  #acknowledge(clientOrderId: string, placed: { order: Order; fills: readonly FillName[] }, sentMs: number): void {
    const nowMs = performance.now();
    this.#orders.set(clientOrderId, placed.order);
    for (const fill of placed.fills) this.#fills.add(fillKey(fill));
    this.#latenciesMs.push(nowMs - sentMs);
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastAckMs);
    this.#lastAckMs = nowMs;
  }
}

type FillName = Record<'sequence' | 'index', number> & Record<'price' | 'quantity', string>;

function fillKey(fill: FillName): string {
  return `${fill.sequence}.${fill.index}@${fill.price}*${fill.quantity}`;
}

async function everything<T>(page: (after: string | undefined) => Promise<{ items: T[]; next: string | null }>): Promise<T[]> {
  const all: T[] = [];
  let after: string | undefined;
  for (;;) {
    const { items, next } = await page(after);
    all.push(...items);
    if (next === null) return all;
    after = next;
  }
}

/** The value below which `share` of the sorted values lie; NaN when there are none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
