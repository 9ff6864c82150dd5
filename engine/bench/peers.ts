/** Other order books on the same workload, as far as their directory has them: nodejs-order-book as npm installs it, the jars of exchange-core in `lib`. */
import { execa } from 'execa';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CANCEL_RECORD, IOC_RECORD, type Workload } from './workload.ts';

export interface Peer {
  readonly name: string;
  /** Commands a second on the workload. Throws when it does not come to the same number of fills. */
  opsPerSecond(workload: Workload, fills: number): Promise<number>;
}

interface NodeOrderBook {
  limit(order: { side: 'buy' | 'sell'; id: string; size: number; price: number; timeInForce: 'GTC' | 'IOC' }): {
    done: unknown[];
    partial: unknown;
  };
  cancel(id: string): unknown;
}

const JAVA_TIMEOUT_MS = 300_000;
/** nodejs-order-book is slow: its rate is taken from so many commands of the file. */
const SHORT = 100_000;

/** The peers that are in `directory`. */
export async function findPeers(directory: string): Promise<Peer[]> {
  const root = resolve(directory);
  const peers: Peer[] = [];
  if (existsSync(join(root, 'node_modules', 'nodejs-order-book'))) peers.push(await nodeOrderBook(root));
  if (existsSync(join(root, 'lib', 'exchange-core-0.5.3.jar'))) peers.push(exchangeCore(root));
  return peers;
}

async function nodeOrderBook(root: string): Promise<Peer> {
  const path = createRequire(join(root, 'package.json')).resolve('nodejs-order-book');
  const { OrderBook } = (await import(pathToFileURL(path).href)) as { OrderBook: new () => NodeOrderBook };
  return {
    name: 'nodejs-order-book',
    opsPerSecond: async (workload) => {
      const book = new OrderBook();
      const warm = SHORT >> 2;
      let startMs = 0;
      const commands = Math.min(SHORT, workload.commands);
      for (let index = 0; index < commands; index += 1) {
        if (index === warm) startMs = performance.now();
        const id = String(workload.id(index));
        if (workload.type(index) === CANCEL_RECORD) {
          book.cancel(id);
        } else {
          book.limit({
            side: workload.side(index) === 0 ? 'buy' : 'sell',
            id,
            size: workload.quantityLots(index),
            price: workload.priceTicks(index),
            timeInForce: workload.type(index) === IOC_RECORD ? 'IOC' : 'GTC',
          });
        }
      }
      return ((commands - warm) / (performance.now() - startMs)) * 1000;
    },
  };
}

function exchangeCore(root: string): Peer {
  return {
    name: 'exchange-core 0.5.3 OrderBookDirectImpl',
    opsPerSecond: async (workload, fills) => {
      const directory = mkdtempSync(join(tmpdir(), 'hft-bench-'));
      try {
        const file = join(directory, 'workload');
        writeFileSync(file, workload.bytes);
        const source = join(import.meta.dirname, 'peers', 'ExchangeCoreBook.java');
        const run = await execa('java', ['-cp', `${root}/lib/*`, source, file], { timeout: JAVA_TIMEOUT_MS, stdin: 'ignore' });
        const [rate, theirFills] = run.stdout.trim().split(' ').map(Number);
        if (theirFills !== fills) throw new Error(`exchange-core comes to ${theirFills} fills, the core to ${fills}`);
        return rate ?? NaN;
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  };
}
