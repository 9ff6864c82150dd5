/**
 * Figures of the read models, on a market that wanders among ten thousand resting orders of a thousand accounts:
 *
 *     node engine/bench/views-figures.ts projection COMMANDS   how fast a replica makes rows of a journal, alone
 *     node engine/bench/views-figures.ts queries SECONDS RATE  how fast queries are answered while RATE commands a second are matched and journalled
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTick, setTimeout as delay } from 'node:timers/promises';
import { commandWords, encodeCommand } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS, randomWords } from '../core/random-commands.ts';
import {
  NO_EVENTS,
  ANY_ACCOUNT,
  BUY,
  CANCEL_ORDER,
  CANCELLED,
  GTC,
  IOC,
  LIMIT,
  NEW_ORDER,
  OPEN,
  REJECT,
  REPLACE_ORDER,
  SELL,
  type Command,
} from '../core/types.ts';
import { JournalReader } from '../journal/reader.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { CLIENT_ORDER_ID } from '../journal/types.ts';
import { Replica } from '../views/replica.ts';
import { ViewsError } from '../views/types.ts';
import { openViews } from '../views/views.ts';

const RESTING = 10_000;
const ACCOUNTS = 1000;
const BATCH = 256;
/** Commands before the first query. */
const LEAST_ASKED = 1000;
/** An engine without its gateways: commands are matched and pushed into the ring of a journal. */
class Market {
  readonly core = new MatchingCore();
  readonly #journal: SqliteJournal;
  readonly #random = randomWords(7);
  readonly #placed: number[] = [];
  #midTicks = 100_000;

  constructor(journal: SqliteJournal) {
    this.#journal = journal;
    this.core.setInstrument(0, NO_LIMITS);
  }

  push(commands: number): void {
    const { ring } = this.#journal;
    for (const end = this.core.sequence + commands; this.core.sequence < end;) {
      const at = ring.at();
      if (at < 0) throw new Error('the ring is full');
      const command = this.#next();
      encodeCommand(ring.slots, at, Date.now() * 1000, command);
      if (this.core.submit(ring.slots, at, NO_EVENTS) !== REJECT.none) continue;
      const { sequence } = this.core;
      if (command.kind === NEW_ORDER) {
        if (sequence % 2 === 0) ring.text(CLIENT_ORDER_ID, `client-order-${sequence}`);
        if (command.timeInForce === GTC) this.#placed.push(sequence);
      }
      ring.push();
    }
    this.#journal.flush();
  }

  #next(): Command {
    const below = (limit: number): number => this.#random() % limit;
    if (below(16) === 0) this.#midTicks = Math.max(5000, this.#midTicks + below(3) - 1);
    const kind = below(100);
    const isFull = this.core.openOrders >= RESTING;
    if (this.#placed.length > 0 && kind < (isFull ? 50 : 20)) {
      const at = below(this.#placed.length);
      const orderId = this.#placed[at] as number;
      if (kind < 5) return { kind: REPLACE_ORDER, orderId, account: ANY_ACCOUNT, priceTicks: 0, quantityLots: 1 + below(50) };
      this.#placed[at] = this.#placed.at(-1) as number;
      this.#placed.pop();
      return { kind: CANCEL_ORDER, orderId, account: ANY_ACCOUNT };
    }
    const isIoc = kind >= 85;
    const side = below(2) === 0 ? BUY : SELL;
    const distance = Math.floor((below(1000) / 1000) ** 3 * 500) - (isIoc || below(10) === 0 ? 6 : 0);
    const priceTicks = this.#midTicks + (side === BUY ? -1 : 1) * (distance + 1);
    const terms = { account: below(ACCOUNTS), side, type: LIMIT, timeInForce: isIoc ? IOC : GTC, priceTicks } as const;
    return { kind: NEW_ORDER, instrument: 0, quantityLots: 1 + below(100), ...terms };
  }
}

async function projection(commands: number): Promise<void> {
  await withJournal(async (journal, dataDirectory) => {
    const market = new Market(journal);
    while (market.core.sequence < commands) {
      market.push(BATCH);
      do await nextTick();
      while (journal.ring.waiting > 0);
    }
    const reader = JournalReader.open(dataDirectory);
    const core = new MatchingCore();
    core.setInstrument(0, NO_LIMITS);
    timed('read and replayed only', commands, () => {
      for (const { slots, words } of reader.read(1, commands))
        for (let at = 0; at < words; at += commandWords(slots, at)) core.replay(slots, at, NO_EVENTS);
    });
    const replica = Replica.open({ dataDirectory, journal: reader, instruments: 1, warn: () => undefined });
    for (const limit of [64, 256, 4096]) {
      const from = replica.sequence;
      timed(`made rows, ${limit} at once`, commands / 3, () => {
        while (replica.sequence < from + commands / 3 && replica.advance(limit) > 0) if (replica.uncommitted >= 50_000) replica.commit();
        replica.commit();
      });
    }
    replica.close();
    reader.close();
  });
}

function timed(what: string, commands: number, work: () => void): void {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  work();
  const { user, system } = process.cpuUsage(cpu);
  const micros = ((performance.now() - startMs) * 1000) / commands;
  print({
    what,
    commands,
    cpuMicrosEach: (user + system) / commands,
    perCpuSecond: (commands * 1e6) / (user + system),
    perSecond: 1e6 / micros,
  });
}

async function queries(seconds: number, rate: number): Promise<void> {
  await withJournal(async (journal, dataDirectory) => {
    const market = new Market(journal);
    const log = { warn: (details: object, message: string) => print({ ...details, message }) };
    const views = await openViews({ dataDirectory, instruments: 1, retentionMs: 3_600_000, snapshotEvery: 1_000_000, log });
    journal.listen({ durable: (sequence) => views.advance(sequence), failed: (cause) => print({ cause }) });
    const running = new AbortController();
    const asking = asked();
    const cpu = process.cpuUsage();
    // So that there is something to ask for at any rate.
    market.push(2 * LEAST_ASKED);
    const first = market.core.sequence;
    const startMs = performance.now();
    const turnsMs: number[] = [];
    let pushMs = 0;
    while (performance.now() - startMs < seconds * 1000) {
      const due = Math.floor(((performance.now() - startMs) / 1000) * rate) + first - market.core.sequence;
      const pushStartMs = performance.now();
      if (due > 0) market.push(Math.min(due, 2000));
      pushMs += performance.now() - pushStartMs;
      await nextTick();
      turnsMs.push(performance.now() - pushStartMs);
    }
    const behind = journal.durableSequence - views.sequence;
    const wallMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpu);
    running.abort();
    const latencies = await asking;
    const thread = process.threadCpuUsage();
    print({
      commands: market.core.sequence,
      perSecond: ((market.core.sequence - first) / wallMs) * 1000,
      behind,
      pushMs,
      cpuMs: (user + system) / 1000,
      mainMs: (thread.user + thread.system) / 1000,
      wallMs,
    });
    // No answer is heard within a turn of the asking thread.
    for (const [name, values] of Object.entries({ 'turns of the asking thread, no query': turnsMs, ...latencies })) {
      const sorted = values.toSorted((a, b) => a - b);
      const at = (share: number): number | undefined => sorted[Math.floor(sorted.length * share)];
      print({ query: name, count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), mostMs: sorted.at(-1) });
    }
    await views.close();

    async function asked(): Promise<Record<string, number[]>> {
      const found: Record<string, number[]> = {};
      const ask = async (name: string, question: () => Promise<unknown>): Promise<void> => {
        const askedMs = performance.now();
        await question().catch((cause: unknown) => {
          if (!(cause instanceof ViewsError)) throw cause;
        });
        (found[name] ??= []).push(performance.now() - askedMs);
        await delay(2);
      };
      while (!running.signal.aborted) {
        const { durableSequence } = journal;
        if (durableSequence < LEAST_ASKED) {
          await delay(10);
          continue;
        }
        await ask('order', async () => await views.order(journal.durableSequence - 500, journal.durableSequence));
        await ask('order, old', async () => await views.order(journal.durableSequence >> 1, 0));
        await ask(
          'orders, open, of an account',
          async () => await views.orders({ account: 5, status: OPEN }, 0, 50, journal.durableSequence),
        );
        await ask(
          'orders, cancelled',
          async () => await views.orders({ status: CANCELLED }, durableSequence >> 1, 50, journal.durableSequence),
        );
        await ask('orders, of an account', async () => await views.orders({ account: 5 }, 0, 50, journal.durableSequence));
        await ask(
          'trades',
          async () => await views.trades(0, { sequence: Number.MAX_SAFE_INTEGER, index: 0 }, 50, journal.durableSequence),
        );
        await ask('positions', async () => await views.positions(5, journal.durableSequence));
      }
      return found;
    }
  });
}

async function withJournal(work: (journal: SqliteJournal, dataDirectory: string) => Promise<void>): Promise<void> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'hft-views-figures-'));
  const journal = SqliteJournal.open(dataDirectory, 'commit');
  const upkeep = setInterval(() => journal.checkpointIfDue(), 250);
  try {
    await work(journal, dataDirectory);
  } finally {
    clearInterval(upkeep);
    journal.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}

function print(figures: object): void {
  const rounded = Object.entries(figures).map(([name, value]) => [
    name,
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value,
  ]);
  console.log(JSON.stringify(Object.fromEntries(rounded)));
}

const [mode, ...numbers] = process.argv.slice(2);
const [first = 0, second = 0] = numbers.map(Number);
if (mode === 'projection') await projection(first);
else if (mode === 'queries') await queries(first, second);
else throw new Error('say projection COMMANDS, or queries SECONDS RATE');
