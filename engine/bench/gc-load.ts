/**
 * A steady load of orders in one process, and what garbage collection makes of it. Run as a program of its own (`node FLAGS engine/bench/gc-load.ts
 * --options JSON`) so that flags hold for it; it prints one line of JSON.
 *
 * Orders pass the sequencer, the core and the journal as in the engine. On the path `objects` each makes the garbage of a request besides: a body that
 * is parsed, a command object, a promise, an answer as text. On the path `slots` none makes any. Orders and cancels keep 10,000 orders resting.
 */
import { rmSync } from 'node:fs';
import { createHistogram, PerformanceObserver, type RecordableHistogram } from 'node:perf_hooks';
import { setImmediate as nextTick, setTimeout as delay } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { setCompilerFlags } from '../compiler-flags.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS } from '../core/random-commands.ts';
import { ANY_ACCOUNT, BUY, CANCEL_ORDER, GTC, LIMIT, NEW_ORDER, REJECT, SELL, type NewOrder } from '../core/types.ts';
import { orderView } from '../gateway/http/views.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { Accounts } from '../service/accounts.ts';
import { hashClientOrderId } from '../service/client-order-id.ts';
import { instrumentOf } from '../service/instruments.ts';
import { placedOf } from '../service/placed.ts';
import { Sequencer } from '../service/sequencer.ts';
import { gcKindOf, GC_KINDS, type GcKind } from '../telemetry/gc.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

export const loadOptionsSchema = z.object({
  path: z.enum(['objects', 'slots']),
  durability: z.enum(['memory', 'commit', 'disk']),
  /** Of the part that is measured. */
  seconds: z.number().positive(),
  warmUpSeconds: z.number().positive(),
  /** Share of the rate that the warm-up's second half reached; 1 for as fast as it goes. */
  share: z.number().positive().max(1),
  /** Orders of one turn at most; 64 as objects, 256 in slots by default. */
  inFlight: z.int().positive().optional(),
});
export type LoadOptions = z.output<typeof loadOptionsSchema>;

const pausesSchema = z.object({
  kind: z.enum(GC_KINDS),
  count: z.number(),
  totalMs: z.number(),
  /** On a busy machine, about what a pause takes that nothing disturbs. */
  p10Ms: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  longestMs: z.number(),
});

export const loadFiguresSchema = z.object({
  /** Orders and cancels a second, as fast as it goes. */
  peakPerSecond: z.number(),
  perSecond: z.number(),
  /** Microseconds of CPU an order, the threads of the collector included. */
  cpuMicros: z.number(),
  pauses: z.array(pausesSchema),
  /** Of all kinds. */
  all: pausesSchema.omit({ kind: true }),
  /** Bytes that live on the heap, after a collection of everything: at the start and at the end of the measured part. */
  liveBefore: z.number(),
  liveAfter: z.number(),
  /** Most bytes that the heap held, garbage included. */
  mostUsed: z.number(),
  /** Most bytes that were taken for the heap. */
  mostCommitted: z.number(),
  rssBytes: z.number(),
  /** Longest time between two readings of the clock in a loop that does nothing else: what the machine itself took from the process. */
  stallMs: z.number(),
});
export type LoadFigures = z.output<typeof loadFiguresSchema>;

const RESTING = 10_000;
const MOST_WAITING = 4096;
const ACCOUNTS = 100;
const BODIES = 1024;
const MIDDLE_TICKS = 100_000;
/** Orders in one turn of the event loop, and so in flight: as objects they are what a collection finds alive. */
const IN_FLIGHT = { objects: 64, slots: 256 } as const;
const STALL_SECONDS = 2;
/** The engine's. */
const UPKEEP_INTERVAL_MS = 250;

const bodySchema = z.object({
  account: z.string(),
  side: z.union([z.literal(BUY), z.literal(SELL)]),
  priceTicks: z.number(),
  quantityLots: z.number(),
});

/** An engine without HTTP, and orders for it. */
class Load {
  sent = 0;
  readonly #directory = temporaryDirectory();
  readonly #journal: SqliteJournal;
  readonly #core = new MatchingCore();
  readonly #accounts = new Accounts([]);
  readonly #sequencer: Sequencer;
  #seed = 1;
  readonly #bodies: string[];
  readonly #instrument = instrumentOf({ id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' }, DEFAULT_CONFIG);
  readonly #placed = new Int32Array(RESTING * 2);
  readonly #bits = { low: 0, high: 0 };
  readonly #path: LoadOptions['path'];
  /** Most orders of one turn. */
  readonly inFlight: number;
  #failure: Error | undefined;
  /** Characters of all answers. */
  answered = 0;
  #upkeepAtMs = 0;

  constructor({ path, durability, inFlight }: LoadOptions) {
    this.#path = path;
    this.inFlight = inFlight ?? IN_FLIGHT[path];
    this.#journal = SqliteJournal.open(this.#directory, durability);
    this.#core.setInstrument(0, NO_LIMITS);
    this.#sequencer = new Sequencer({
      core: this.#core,
      journal: this.#journal,
      accounts: this.#accounts,
      observer: { matched: () => undefined, committed: () => undefined },
      nowMicros: () => Date.now() * 1000,
      onFull: (cause) => (this.#failure = cause),
      onFatal: (cause) => (this.#failure = cause),
    });
    for (let account = 0; account < ACCOUNTS; account += 1) {
      const body = this.#body();
      this.#sequencer.send(this.#order({ ...body, account: `account-${account}` }), { account: `account-${account}` });
    }
    this.#bodies = Array.from({ length: BODIES }, () => JSON.stringify(this.#body()));
  }

  /** Small whole numbers: others, from a function, would be garbage. */
  #below(limit: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) | 0;
    return (this.#seed >>> 8) % limit;
  }

  #body(): z.output<typeof bodySchema> {
    const side = this.#below(2) === 0 ? BUY : SELL;
    const distance = this.#below(200) - 10;
    return {
      account: `account-${this.#below(ACCOUNTS)}`,
      side,
      priceTicks: MIDDLE_TICKS + (side === BUY ? -distance : distance),
      quantityLots: 1 + this.#below(100),
    };
  }

  #order({ account, side, priceTicks, quantityLots }: z.output<typeof bodySchema>): NewOrder {
    const terms = { instrument: 0, type: LIMIT, timeInForce: GTC } as const;
    return { kind: NEW_ORDER, account: this.#accounts.idFor(account), side, priceTicks, quantityLots, ...terms };
  }

  /** Sends `count` orders or cancels, then lets the event loop turn: they are one commit. */
  async turn(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) this.#one();
    this.sent += count;
    await nextTick();
    // Where another thread commits: what waits for it is bounded by the ring, and as objects lives until then.
    while (this.#failure === undefined && this.#journal.ring.waiting > MOST_WAITING) await delay(1);
    if (this.#failure !== undefined) throw this.#failure;
    if (performance.now() < this.#upkeepAtMs) return;
    this.#journal.checkpointIfDue();
    this.#upkeepAtMs = performance.now() + UPKEEP_INTERVAL_MS;
  }

  #one(): void {
    const cancels = this.#core.openOrders >= RESTING;
    if (this.#path === 'slots') {
      if (cancels) this.#cancelInSlot();
      else this.#placeInSlot();
    } else if (cancels) this.#sequencer.send({ kind: CANCEL_ORDER, account: ANY_ACCOUNT, orderId: this.#randomOrder() });
    else this.#place();
  }

  /** As a gateway does that answers one request at a time. */
  #place(): void {
    const body = bodySchema.parse(JSON.parse(this.#bodies[this.#below(BODIES)] as string));
    const clientOrderId = `order-${this.sent}-${this.#below(1_000_000)}`;
    hashClientOrderId(clientOrderId, this.#bits);
    const order = { ...this.#order(body), clientIdLow: this.#bits.low, clientIdHigh: this.#bits.high };
    if (this.#sequencer.send(order, { account: body.account, clientOrderId }) !== REJECT.none) throw new Error('an order was refused');
    const { events, sequence, timestampMicros } = this.#sequencer;
    const { order: record } = placedOf(events, sequence, timestampMicros, order, clientOrderId);
    this.#remember(sequence);
    void this.#answer(record, body.account);
  }

  async #answer(record: Parameters<typeof orderView>[0], account: string): Promise<void> {
    await this.#sequencer.durable(record.id);
    this.answered += JSON.stringify(orderView(record, this.#instrument, account)).length;
  }

  #placeInSlot(): void {
    const at = this.#sequencer.begin();
    if (at < 0) throw this.#sequencer.refusal();
    const { words, doubles } = this.#sequencer.slots;
    const side = this.#below(2);
    const distance = this.#below(200) - 10;
    words[at] = NEW_ORDER | (side << 8) | (LIMIT << 16) | (GTC << 24);
    words[at + 1] = 0;
    words[at + 2] = 0;
    words[at + 3] = this.#below(ACCOUNTS);
    doubles[(at >> 1) + 3] = MIDDLE_TICKS + (side === BUY ? -distance : distance);
    doubles[(at >> 1) + 4] = 1 + this.#below(100);
    words[at + 12] = 0;
    words[at + 13] = 0;
    words[at + 14] = 0;
    if (this.#sequencer.submit() !== REJECT.none) throw new Error('an order was refused');
    this.#remember(this.#sequencer.sequence);
  }

  #cancelInSlot(): void {
    const at = this.#sequencer.begin();
    if (at < 0) throw this.#sequencer.refusal();
    const { words, doubles } = this.#sequencer.slots;
    words[at] = CANCEL_ORDER;
    words[at + 1] = 0;
    words[at + 3] = ANY_ACCOUNT | 0;
    doubles[(at >> 1) + 5] = this.#randomOrder();
    // Many of them have been filled.
    this.#sequencer.submit();
  }

  #remember(id: number): void {
    this.#placed[id % this.#placed.length] = id;
  }

  #randomOrder(): number {
    return this.#placed[this.#below(this.#placed.length)] as number;
  }

  close(): void {
    this.#sequencer.close();
    this.#journal.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Pauses since it was made, in memory that does not grow. */
class Pauses {
  readonly #kinds = new Map(GC_KINDS.map((kind) => [kind, createHistogram()] as const));
  readonly #all = createHistogram();
  readonly #totalMs = new Map<GcKind | 'all', number>();
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const kind = gcKindOf(entry);
      for (const [histogram, name] of [[this.#kinds.get(kind), kind] as const, [this.#all, 'all'] as const]) {
        histogram?.record(Math.max(1, Math.round(entry.duration * 1e6)));
        this.#totalMs.set(name, (this.#totalMs.get(name) ?? 0) + entry.duration);
      }
    }
  });

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  stop(): Pick<LoadFigures, 'pauses' | 'all'> {
    this.#observer.disconnect();
    const figures = (histogram: RecordableHistogram, name: GcKind | 'all') => ({
      count: histogram.count,
      totalMs: this.#totalMs.get(name) ?? 0,
      p10Ms: histogram.count === 0 ? 0 : histogram.percentile(10) / 1e6,
      p50Ms: histogram.count === 0 ? 0 : histogram.percentile(50) / 1e6,
      p99Ms: histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6,
      longestMs: histogram.count === 0 ? 0 : histogram.max / 1e6,
    });
    return {
      pauses: [...this.#kinds].map(([kind, histogram]) => ({ kind, ...figures(histogram, kind) })),
      all: figures(this.#all, 'all'),
    };
  }
}

/** Sends for `seconds`: at `perSecond`, or as fast as it goes. Gives what was sent in a second. */
async function send(load: Load, seconds: number, perSecond: number, watch: () => void): Promise<number> {
  const startMs = performance.now();
  const before = load.sent;
  const elapsed = (): number => (performance.now() - startMs) / 1000;
  for (let now = elapsed(); now < seconds; now = elapsed()) {
    const due = perSecond === Infinity ? load.inFlight : Math.floor(now * perSecond) - (load.sent - before);
    if (due > 0) await load.turn(Math.min(due, load.inFlight));
    else await delay(1);
    watch();
  }
  return (load.sent - before) / elapsed();
}

function liveBytes(): number {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with --expose-gc');
  gc();
  return getHeapStatistics().used_heap_size;
}

function longestStallMs(seconds: number): number {
  const endMs = performance.now() + seconds * 1000;
  let longestMs = 0;
  for (let beforeMs = performance.now(), nowMs = beforeMs; nowMs < endMs; beforeMs = nowMs) {
    nowMs = performance.now();
    if (nowMs - beforeMs > longestMs) longestMs = nowMs - beforeMs;
  }
  return longestMs;
}

async function runLoad(options: LoadOptions): Promise<LoadFigures> {
  const load = new Load(options);
  try {
    const { warmUpSeconds, seconds, share } = options;
    await send(load, warmUpSeconds / 2, Infinity, () => undefined);
    const peakPerSecond = await send(load, warmUpSeconds / 2, Infinity, () => undefined);
    const liveBefore = liveBytes();
    // What has been observed of the collection just made is told within the next turn.
    await delay(10);
    let mostUsed = 0;
    let mostCommitted = 0;
    const watch = (): void => {
      const { used_heap_size: used, total_heap_size: committed } = getHeapStatistics();
      mostUsed = Math.max(mostUsed, used);
      mostCommitted = Math.max(mostCommitted, committed);
    };
    const pauses = new Pauses();
    const cpu = process.cpuUsage();
    const before = load.sent;
    const perSecond = await send(load, seconds, share === 1 ? Infinity : peakPerSecond * share, watch);
    const { user, system } = process.cpuUsage(cpu);
    await delay(10);
    const figures = pauses.stop();
    return {
      peakPerSecond,
      perSecond,
      cpuMicros: (user + system) / (load.sent - before),
      ...figures,
      liveBefore,
      liveAfter: liveBytes(),
      mostUsed,
      mostCommitted,
      rssBytes: process.memoryUsage.rss(),
      stallMs: longestStallMs(Math.min(STALL_SECONDS, seconds)),
    };
  } finally {
    load.close();
  }
}

if (import.meta.main) {
  setCompilerFlags();
  const { values } = parseArgs({ options: { options: { type: 'string', default: '{}' } } });
  console.log(JSON.stringify(await runLoad(loadOptionsSchema.parse(JSON.parse(values.options)))));
}
