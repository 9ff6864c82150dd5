/** What pools of objects and of buffers cost and save against plain allocation, the collector's own threads included. */
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BufferPool } from '../pools/buffer-pool.ts';
import { EventBuffer } from '../service/event-buffer.ts';
import { compare, median, type Comparison } from './report.ts';

/** Orders between two commits: what is in flight at once. */
const IN_FLIGHT = 256;
const RESTING = 100_000;
/** Runs of a case before those that are measured. */
const WARM_UP = 2;

/** Does something `count` times; gives a number that depends on all of it. */
type Way = (count: number) => number;

interface Case {
  readonly name: string;
  readonly count: number;
  readonly plain: Way;
  /** What stands against plain allocation, by its name. */
  readonly others: Readonly<Record<string, Way>>;
}

interface Order {
  kind: number;
  instrument: number;
  account: number;
  side: number;
  type: number;
  timeInForce: number;
  priceTicks: number;
  quantityLots: number;
  clientIdLow: number;
  clientIdHigh: number;
  session: number;
}

const FIELDS = 11;

function newOrder(number: number): Order {
  return {
    kind: 1,
    instrument: 0,
    account: number & 255,
    side: number & 1,
    type: 0,
    timeInForce: 0,
    priceTicks: 100_000 + (number & 127),
    quantityLots: 1 + (number & 63),
    clientIdLow: number,
    clientIdHigh: 0,
    session: 0,
  };
}

function fillOrder(order: Order, number: number): void {
  order.kind = 1;
  order.instrument = 0;
  order.account = number & 255;
  order.side = number & 1;
  order.type = 0;
  order.timeInForce = 0;
  order.priceTicks = 100_000 + (number & 127);
  order.quantityLots = 1 + (number & 63);
  order.clientIdLow = number;
  order.clientIdHigh = 0;
  order.session = 0;
}

/** The pool that one would write: a stack of objects. */
class ObjectPool<T> {
  readonly #free: T[] = [];
  readonly #make: () => T;

  constructor(make: () => T) {
    this.#make = make;
  }

  take(): T {
    return this.#free.pop() ?? this.#make();
  }

  give(object: T): void {
    this.#free.push(object);
  }
}

/** Which of what is held is replaced next: far from the last, as cancels and fills are. */
const scattered = (number: number, held: number): number => (Math.imul(number, 0x9e3779b1) >>> 0) % held;

/** An order that is held until another takes its place among `held`. */
function orders(name: string, held: number, next: (number: number, held: number) => number, count: number): Case {
  return {
    name,
    count,
    plain: (() => {
      const all = Array.from({ length: held }, (_, number) => newOrder(number));
      return (times) => {
        let sum = 0;
        for (let number = 0; number < times; number += 1) {
          const at = next(number, held);
          sum += (all[at] as Order).quantityLots;
          all[at] = newOrder(number);
        }
        return sum;
      };
    })(),
    others: {
      'pool of objects': (() => {
        const pool = new ObjectPool(() => newOrder(0));
        const all = Array.from({ length: held }, () => pool.take());
        return (times) => {
          let sum = 0;
          for (let number = 0; number < times; number += 1) {
            const at = next(number, held);
            const old = all[at] as Order;
            sum += old.quantityLots;
            pool.give(old);
            const order = pool.take();
            fillOrder(order, number);
            all[at] = order;
          }
          return sum;
        };
      })(),
      'slots of a typed array': (() => {
        const words = new Int32Array(held * FIELDS);
        return (times) => {
          let sum = 0;
          for (let number = 0; number < times; number += 1) {
            const at = next(number, held) * FIELDS;
            sum += words[at + 7] as number;
            words[at] = 1;
            words[at + 1] = 0;
            words[at + 2] = number & 255;
            words[at + 3] = number & 1;
            words[at + 4] = 0;
            words[at + 5] = 0;
            words[at + 6] = 100_000 + (number & 127);
            words[at + 7] = 1 + (number & 63);
            words[at + 8] = number;
            words[at + 9] = 0;
            words[at + 10] = 0;
          }
          return sum;
        };
      })(),
    },
  };
}

interface Fill {
  kind: number;
  instrument: number;
  makerOrderId: number;
  takerOrderId: number;
  priceTicks: number;
  quantityLots: number;
}

const EVENTS = 3;

/** Three events a command, read once each. */
function events(): Case {
  const newFill = (number: number, index: number): Fill => ({
    kind: 1,
    instrument: 0,
    makerOrderId: number - index,
    takerOrderId: number,
    priceTicks: 100_000,
    quantityLots: index,
  });
  const read = (all: readonly Fill[]): number => {
    let sum = 0;
    for (const { quantityLots } of all) sum += quantityLots;
    return sum;
  };
  return {
    name: 'event objects',
    count: 1_000_000,
    plain: (() => {
      let last: Fill[] = [];
      return (times) => {
        let sum = 0;
        for (let number = 0; number < times; number += 1) {
          const all: Fill[] = [];
          for (let index = 0; index < EVENTS; index += 1) all.push(newFill(number, index));
          last = all;
          sum += read(last);
        }
        return sum;
      };
    })(),
    others: {
      'pool of objects': (() => {
        const pool = new ObjectPool(() => newFill(0, 0));
        const all: Fill[] = [];
        return (times) => {
          let sum = 0;
          for (let number = 0; number < times; number += 1) {
            for (let index = 0; index < EVENTS; index += 1) {
              const fill = pool.take();
              fill.kind = 1;
              fill.instrument = 0;
              fill.makerOrderId = number - index;
              fill.takerOrderId = number;
              fill.priceTicks = 100_000;
              fill.quantityLots = index;
              all.push(fill);
            }
            sum += read(all);
            for (let fill = all.pop(); fill !== undefined; fill = all.pop()) pool.give(fill);
          }
          return sum;
        };
      })(),
      'the event buffer': (() => {
        const buffer = new EventBuffer();
        return (times) => {
          let sum = 0;
          for (let number = 0; number < times; number += 1) {
            buffer.clear();
            for (let index = 0; index < EVENTS; index += 1) buffer.fill(0, number - index, number, 100_000, index, 0, 0);
            for (let index = 0; index < buffer.count; index += 1) sum += buffer.value(index, 4);
          }
          return sum;
        };
      })(),
    },
  };
}

interface Answer {
  id: string;
  symbol: string;
  side: string;
  price: string;
  quantity: string;
  status: string;
}

/** An answer as an object, turned into text. */
function responses(): Case {
  const newAnswer = (number: number): Answer => ({
    id: String(number),
    symbol: 'BTC-USD',
    side: (number & 1) === 0 ? 'buy' : 'sell',
    price: String(100_000 + (number & 127)),
    quantity: String(1 + (number & 63)),
    status: 'open',
  });
  return {
    name: 'response objects',
    count: 300_000,
    plain: (times) => {
      let sum = 0;
      for (let number = 0; number < times; number += 1) sum += JSON.stringify(newAnswer(number)).length;
      return sum;
    },
    others: {
      'pool of objects': (() => {
        const pool = new ObjectPool(() => newAnswer(0));
        return (times) => {
          let sum = 0;
          for (let number = 0; number < times; number += 1) {
            const answer = pool.take();
            answer.id = String(number);
            answer.symbol = 'BTC-USD';
            answer.side = (number & 1) === 0 ? 'buy' : 'sell';
            answer.price = String(100_000 + (number & 127));
            answer.quantity = String(1 + (number & 63));
            answer.status = 'open';
            sum += JSON.stringify(answer).length;
            pool.give(answer);
          }
          return sum;
        };
      })(),
    },
  };
}

/** `bytes` are written into a buffer, which is used whole, a moment later. */
function buffers(bytes: number, count: number): Case {
  const source = new Uint8Array(bytes).fill(7);
  const held = 16;
  const fresh = (make: () => Buffer): Way => {
    const all = Array.from({ length: held }, make);
    return (times) => {
      let sum = 0;
      for (let number = 0; number < times; number += 1) {
        const at = number % held;
        sum += (all[at] as Buffer)[0] as number;
        const buffer = make();
        buffer.set(source);
        all[at] = buffer;
      }
      return sum;
    };
  };
  return {
    name: `buffers of ${bytes} bytes`,
    count,
    plain: fresh(() => Buffer.allocUnsafe(bytes)),
    others: {
      'pool of buffers': (() => {
        const pool = new BufferPool();
        const all = Array.from({ length: held }, () => pool.take(bytes));
        return (times) => {
          let sum = 0;
          for (let number = 0; number < times; number += 1) {
            const at = number % held;
            const old = all[at] as Buffer;
            sum += old[0] as number;
            pool.give(old);
            const buffer = pool.take(bytes);
            buffer.set(source);
            all[at] = buffer;
          }
          return sum;
        };
      })(),
    },
  };
}

const CASES: readonly Case[] = [
  orders('order objects, 256 in flight', IN_FLIGHT, (number, held) => number % held, 2_000_000),
  orders('order objects, 100,000 resting', RESTING, scattered, 1_000_000),
  events(),
  responses(),
  buffers(64, 1_000_000),
  buffers(1024, 500_000),
  buffers(8192, 100_000),
  buffers(32_768, 30_000),
];

interface Cost {
  /** CPU of the whole process: of the collector's threads, too. */
  readonly cpuNanos: number;
  readonly pauses: number;
  readonly pausesMs: number;
}

async function cost(way: Way, count: number): Promise<Cost> {
  let pauses = 0;
  let pausesMs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      pauses += 1;
      pausesMs += duration;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  const before = process.cpuUsage();
  const sum = way(count);
  const { user, system } = process.cpuUsage(before);
  // What was observed is told within the next turns.
  await delay(5);
  observer.disconnect();
  if (!(sum > 0)) throw new Error('nothing was done');
  return { cpuNanos: ((user + system) * 1000) / count, pauses, pausesMs };
}

interface Measured {
  readonly name: string;
  readonly count: number;
  readonly way: string;
  readonly plain: Cost[];
  readonly other: Cost[];
}

/** Measures every case, the ways of each by turns. */
async function measure(runs: number): Promise<Measured[]> {
  const all: Measured[] = [];
  for (const { name, count, plain, others } of CASES) {
    const measured = Object.keys(others).map((way): Measured => ({ name, count, way, plain: [], other: [] }));
    for (let run = -WARM_UP; run < runs; run += 1) {
      const base = await cost(plain, count);
      for (const one of measured) {
        const other = await cost(others[one.way] as Way, count);
        if (run < 0) continue;
        one.plain.push(base);
        one.other.push(other);
      }
    }
    all.push(...measured);
  }
  return all;
}

/** CPU of each way against plain allocation of the same run. */
export async function pools(runs: number): Promise<Comparison[]> {
  return (await measure(runs)).map(({ name, way, plain, other }) =>
    compare(
      'pools',
      `ns, ${name}: ${way}`,
      'plain allocation',
      plain.map((base, run) => ({ value: (other[run] as Cost).cpuNanos, peer: base.cpuNanos })),
    ),
  );
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '7' } } });
  const text = (costs: readonly Cost[], count: number): string => {
    const of = (read: (one: Cost) => number): number => median(costs.map(read));
    const perMillion = 1e6 / count;
    return `${of((one) => one.cpuNanos).toFixed(0)} ns, ${(of((one) => one.pauses) * perMillion).toFixed(0)} (${(of((one) => one.pausesMs) * perMillion).toFixed(1)} ms)`;
  };
  console.log('| what, a million times | plain: CPU each, pauses | instead | its CPU, pauses |\n|---|---|---|---|');
  for (const { name, count, way, plain, other } of await measure(Number(values.runs)))
    console.log(`| ${name} | ${text(plain, count)} | ${way} | ${text(other, count)} |`);
}
