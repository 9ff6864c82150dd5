/**
 * Workload files through `npm run --silent book`, as it ships, and through the naive model: fills, volume, notional, hash and the final book must be the
 * same.
 */
import { execa } from 'execa';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateWorkload } from '../bench/generate.ts';
import { CANCEL_RECORD, GTC_RECORD, readWorkload, writeWorkload, type Workload } from '../bench/workload.ts';
import { NaiveExchange } from '../core/naive-model.ts';
import { NO_LIMITS } from '../core/random-commands.ts';
import { BUY, CANCEL_ORDER, GTC, IOC, LIMIT, NEW_ORDER, SELL, type EventSink, type Side } from '../core/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Commands between two signs of life. */
const PROGRESS = 50_000;

/** What `npm run --silent book` prints about matching, worked out by the naive model. */
export function naiveTotals(workload: Workload, progress: (commands: number) => void = () => undefined) {
  const exchange = new NaiveExchange();
  exchange.setInstrument(0, NO_LIMITS);
  const totals = { fills: 0, volume: 0, notional: 0n, hash: 0x811c9dc5 };
  /** Both ways between file ids and the naive model's: its sequences. */
  const fileIds = new Map<number, number>();
  const sequences = new Map<number, number>();
  const sink: EventSink = {
    fill(_instrument, makerId, takerId, priceTicks, quantityLots): void {
      totals.fills += 1;
      totals.volume += quantityLots;
      totals.notional += BigInt(priceTicks) * BigInt(quantityLots);
      for (const word of [fileIds.get(takerId) ?? 0, fileIds.get(makerId) ?? 0, priceTicks, quantityLots])
        totals.hash = Math.imul(totals.hash ^ word, 0x01000193);
    },
    order: () => undefined,
    replaced: () => undefined,
    triggered: () => undefined,
    state: () => undefined,
  };
  for (let index = 0; index < workload.commands; index += 1) {
    if (index % PROGRESS === 0) progress(index);
    const id = workload.id(index);
    const account = workload.account(index);
    if (workload.type(index) === CANCEL_RECORD) {
      exchange.submit(0, { kind: CANCEL_ORDER, orderId: sequences.get(id) ?? 0, account }, sink);
    } else {
      fileIds.set(exchange.sequence + 1, id);
      sequences.set(id, exchange.sequence + 1);
      const terms = {
        side: workload.side(index) === 0 ? BUY : SELL,
        type: LIMIT,
        timeInForce: workload.type(index) === GTC_RECORD ? GTC : IOC,
        priceTicks: workload.priceTicks(index),
        quantityLots: workload.quantityLots(index),
      } as const;
      exchange.submit(0, { kind: NEW_ORDER, instrument: 0, account, ...terms }, sink);
    }
  }
  const book = exchange.book(0);
  const lots = (side: Side) => Number(book.depth(side, Infinity).reduce((sum, { quantityLots }) => sum + quantityLots, 0n));
  return {
    commands: workload.commands,
    fills: totals.fills,
    volume: totals.volume,
    notional: String(totals.notional),
    hash: (totals.hash >>> 0).toString(16),
    resting: exchange.openOrders,
    bidQuantity: lots(BUY),
    askQuantity: lots(SELL),
    bestBid: book.bestTicks(BUY),
    bestAsk: book.bestTicks(SELL),
  };
}

/** What the program that ships says about a file. */
async function shippedTotals(path: string): Promise<Record<string, unknown>> {
  const { stdout } = await execa('node', [join(ROOT, 'engine/bench/book.ts'), path], { preferLocal: true, localDir: ROOT });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Compares one file; prints what differs. Whether nothing does. */
async function compare(name: string, path: string): Promise<boolean> {
  const shipped = await shippedTotals(path);
  const naive = naiveTotals(readWorkload(path), (done) => {
    if (process.stderr.isTTY) process.stderr.write(`${name}: ${done} commands through the naive model\r`);
  });
  const different = Object.entries(naive).filter(([key, value]) => shipped[key] !== value);
  for (const [key, value] of different) console.log(`${name}: ${key} is ${String(shipped[key])}, the naive model says ${value}`);
  if (different.length === 0)
    console.log(`${name}: ${naive.commands} commands, ${naive.fills} fills, ${naive.resting} resting, hash ${naive.hash}: no difference`);
  return different.length === 0;
}

const HELP = `npm run prove -- workload [OPTION ...] [FILE ...]

Runs workload files through \`npm run --silent book\` and through the naive model, and compares fills, volume, notional, hash and the final book. Without
a FILE, makes some. The naive model looks at every resting order for every command: with 1,000 of them 2,000,000 commands take some minutes.

  --commands N   of each file that is made (200000)
  --resting N    orders that rest in it, about (1000)
  --seeds N      files that are made (3)
  --seed N       of the first; each further one has the next (1)`;

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      commands: { type: 'string', default: '200000' },
      resting: { type: 'string', default: '1000' },
      seeds: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) console.log(HELP);
  else {
    const directory = temporaryDirectory();
    let same = true;
    try {
      for (const path of positionals) same = (await compare(path, path)) && same;
      for (let made = 0; positionals.length === 0 && made < Number(values.seeds); made += 1) {
        const seed = Number(values.seed) + made;
        const path = join(directory, 'workload');
        writeWorkload(path, generateWorkload({ commands: Number(values.commands), seed, resting: Number(values.resting) }));
        same = (await compare(`seed ${seed}`, path)) && same;
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    process.exitCode = same ? 0 : 1;
  }
}
