/**
 * Proof by `kill -9`: orders flow over several connections, the engine is killed at a random moment, started again, and asked for everything.
 * Every acknowledged order and fill must be there, as acknowledged; none twice; every quantity accounted for. Orders whose answer never came
 * are sent again with the same client order id: each must exist once afterwards, and nothing must exist that nobody sent. Cancels whose answer
 * never came are sent again too; nothing else may be cancelled. At durability `memory` what came last may be lost, and nothing else: whatever
 * was acknowledged up to the sequence that the engine came back with must be there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Fill, NewOrder, Order } from '../client/orders.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { allPages, EngineError, OrderClient, spawnEngine, untilReady, type EngineProcess } from './engine-process.ts';

export interface KillProof {
  rounds: number;
  acknowledged: number;
  unanswered: number;
  fills: number;
  cancels: number;
  /** Acknowledged and gone: 0 but at durability `memory`. */
  lost: number;
  /** Empty when the proof holds. */
  violations: string[];
}

interface Ledger {
  readonly acknowledged: Map<string, Order>;
  readonly fills: Map<string, Fill>;
  readonly cancelled: Set<string>;
  readonly unanswered: NewOrder[];
  /** Orders whose cancel was sent and not answered. */
  readonly unansweredCancels: string[];
}

const SENDERS = 8;
const PAGE = 1000;
const MAX_VIOLATIONS = 20;

/** Runs the proof. `seed` decides orders and moments of death (as far as timing allows). */
export async function proveKill(options: {
  rounds: number;
  durability?: 'memory' | 'commit' | 'disk';
  seed?: number;
  maxFlowMs?: number;
  /** No round is begun after this time of `performance.now()`; what was acknowledged until then is still checked. */
  untilMs?: number;
  progress?: (line: string) => void;
}): Promise<KillProof> {
  const directory = await mkdtemp(join(tmpdir(), 'hft-kill-'));
  const random = randomFrom(options.seed ?? Date.now());
  const config = join(directory, 'config.json');
  await writeFile(config, JSON.stringify({ ...DEFAULT_CONFIG, journal: { durability: options.durability ?? 'disk' } }));
  const proof: KillProof = { rounds: 0, acknowledged: 0, unanswered: 0, fills: 0, cancels: 0, lost: 0, violations: [] };
  const ledger: Ledger = { acknowledged: new Map(), fills: new Map(), cancelled: new Set(), unanswered: [], unansweredCancels: [] };
  const isOver = (): boolean => performance.now() >= (options.untilMs ?? Infinity);
  let engine: EngineProcess | undefined;
  try {
    await compile(directory, config);
    for (let round = 1; round <= options.rounds && proof.violations.length === 0 && !isOver(); round += 1) {
      engine = await start(directory, config);
      if (options.durability === 'memory') await forgetLost(engine, ledger, proof);
      await verify(engine, ledger, proof);
      await flowUntilDeath(engine, ledger, random, round, options.maxFlowMs ?? 300);
      proof.rounds = round;
      options.progress?.(
        `round ${round}: ${ledger.acknowledged.size} orders and ${ledger.fills.size} fills acknowledged, ${ledger.unanswered.length} unanswered`,
      );
    }
    engine = await start(directory, config);
    if (options.durability === 'memory') await forgetLost(engine, ledger, proof);
    await verify(engine, ledger, proof);
    engine.kill('SIGTERM');
    const code = await engine.ended;
    if (code !== 0) proof.violations.push(`the last engine ended with ${code}`);
  } finally {
    engine?.kill('SIGKILL');
    await engine?.ended;
    await rm(directory, { recursive: true, force: true });
  }
  proof.acknowledged = ledger.acknowledged.size;
  proof.fills = ledger.fills.size;
  proof.cancels = ledger.cancelled.size;
  return proof;
}

/** An engine that starts and ends in peace leaves its compiled code to those that are killed: they start in half the time. */
async function compile(directory: string, config: string): Promise<void> {
  const engine = await start(directory, config);
  engine.kill('SIGTERM');
  await engine.ended;
}

async function start(directory: string, config: string): Promise<EngineProcess> {
  const engine = await spawnEngine({
    dataDirectory: join(directory, 'data'),
    args: ['--config', config],
    // Kept by the one that ends in peace: an engine that is killed leaves none.
    environment: { NODE_COMPILE_CACHE: join(directory, 'compiled') },
  });
  await untilReady(engine.baseUrl);
  return engine;
}

async function flowUntilDeath(
  engine: EngineProcess,
  ledger: Ledger,
  random: () => number,
  round: number,
  maxFlowMs: number,
): Promise<void> {
  const client = new OrderClient({ baseUrl: engine.baseUrl, token: engine.token, connections: SENDERS, timeoutMs: 5000 });
  const life = { over: false };
  const sender = async (lane: number): Promise<void> => {
    for (let number = 0; !life.over; number += 1) {
      const order = randomOrder(random, `r${round}-l${lane}-n${number}`);
      try {
        const { order: accepted, fills } = await client.place(order);
        ledger.acknowledged.set(accepted.id, accepted);
        for (const fill of fills) ledger.fills.set(`${fill.sequence}.${fill.index}`, fill);
        if (accepted.status !== 'open' || random() >= 0.2) continue;
        try {
          await client.cancel(accepted.id);
          ledger.cancelled.add(accepted.id);
        } catch (cause) {
          // Filled by another before the cancel came: an answer like any other.
          if (cause instanceof EngineError && cause.code === 'HFT_ORDER_NOT_OPEN') continue;
          if (!(cause instanceof EngineError) || cause.status !== 0) throw cause;
          ledger.unansweredCancels.push(accepted.id);
          return;
        }
      } catch (cause) {
        if (!(cause instanceof EngineError) || cause.status !== 0) throw cause;
        ledger.unanswered.push(order);
        return;
      }
    }
  };
  const senders = Array.from({ length: SENDERS }, (_, lane) => sender(lane));
  await Promise.race([delay(20 + random() * maxFlowMs), Promise.all(senders)]);
  engine.kill('SIGKILL');
  await engine.ended;
  life.over = true;
  await Promise.all(senders);
  await client.close();
}

/** Takes from the ledger what came after the sequence that the engine has recovered: its ids are given again. */
async function forgetLost({ baseUrl, token }: EngineProcess, ledger: Ledger, proof: KillProof): Promise<void> {
  const client = new OrderClient({ baseUrl, token, timeoutMs: 30_000 });
  const { sequence: recovered } = await client.book('BTC-USD');
  for (const id of [...ledger.acknowledged.keys()].filter((one) => Number(one) > recovered)) {
    ledger.acknowledged.delete(id);
    ledger.cancelled.delete(id);
    proof.lost += 1;
  }
  ledger.unansweredCancels.splice(0, Infinity, ...ledger.unansweredCancels.filter((id) => ledger.acknowledged.has(id)));
  for (const [key, { sequence }] of ledger.fills) if (sequence > recovered) ledger.fills.delete(key);
  for (const id of ledger.cancelled) {
    if ((await client.get(id)).status === 'cancelled') continue;
    ledger.cancelled.delete(id);
    proof.lost += 1;
  }
  await client.close();
}

/** Compares what the engine now says with all that it ever acknowledged. */
async function verify({ baseUrl, token }: EngineProcess, ledger: Ledger, proof: KillProof): Promise<void> {
  const client = new OrderClient({ baseUrl, token, timeoutMs: 30_000 });
  const wrong = (text: string): void => {
    if (proof.violations.length < MAX_VIOLATIONS) proof.violations.push(text);
  };
  // First again what was never answered: it must come to exist once, whether or not it did before.
  for (const order of ledger.unanswered.splice(0)) {
    proof.unanswered += 1;
    const { order: accepted, fills } = await client.place(order);
    ledger.acknowledged.set(accepted.id, accepted);
    for (const fill of fills) ledger.fills.set(`${fill.sequence}.${fill.index}`, fill);
  }
  for (const id of ledger.unansweredCancels.splice(0)) {
    const outcome = await client.cancel(id).then(
      () => 'cancelled',
      (cause: unknown) => (cause instanceof EngineError ? cause.code : String(cause)),
    );
    // Cancelled now, or what was there before the end: cancelled (which nobody was told) or filled.
    if (outcome !== 'cancelled' && outcome !== 'HFT_ORDER_NOT_OPEN') wrong(`the cancel of order ${id} sent again gave ${outcome}`);
    const { status } = await client.get(id);
    if (status === 'cancelled') ledger.cancelled.add(id);
    else if (status === 'open') wrong(`order ${id} is open after its cancel gave ${outcome}`);
  }
  const orders = await allPages((after) => client.orders({ limit: PAGE, ...(after !== undefined && { after }) }));
  const fills = await allPages((after) => client.fills({ limit: PAGE, ...(after !== undefined && { after }) }));
  await client.close();
  const byId = new Map(orders.map((order) => [order.id, order]));
  if (byId.size !== orders.length) wrong(`${orders.length - byId.size} orders are listed twice`);
  const clientIds = new Set(orders.map(({ clientOrderId }) => clientOrderId));
  if (clientIds.size !== orders.length) wrong(`${orders.length - clientIds.size} orders were recorded twice`);
  if (orders.length !== ledger.acknowledged.size)
    wrong(`${orders.length} orders are recorded, ${ledger.acknowledged.size} were acknowledged`);
  for (const [id, acknowledged] of ledger.acknowledged) {
    const found = byId.get(id);
    const same = found !== undefined && IDENTITY.every((key) => found[key] === acknowledged[key]);
    if (!same) wrong(`order ${id} was acknowledged as ${JSON.stringify(acknowledged)} and is now ${JSON.stringify(found)}`);
    else if (Number(found.filledQuantity) < Number(acknowledged.filledQuantity)) wrong(`order ${id} has lost fills`);
    else if (found.status === 'cancelled' && acknowledged.status === 'open' && !ledger.cancelled.has(id))
      wrong(`order ${id} is cancelled and nobody asked for it`);
  }
  for (const id of ledger.cancelled)
    if (byId.get(id)?.status !== 'cancelled') wrong(`the cancel of order ${id} was acknowledged and is lost`);
  const byKey = new Map(fills.map((fill) => [`${fill.sequence}.${fill.index}`, fill]));
  if (byKey.size !== fills.length) wrong(`${fills.length - byKey.size} fills are listed twice`);
  for (const [key, acknowledged] of ledger.fills) {
    if (JSON.stringify(byKey.get(key)) !== JSON.stringify(acknowledged))
      wrong(`fill ${key} was acknowledged and is now ${JSON.stringify(byKey.get(key))}`);
  }
  const filled = new Map<string, number>();
  for (const { makerOrderId, takerOrderId, quantity } of fills) {
    for (const id of [makerOrderId, takerOrderId]) filled.set(id, (filled.get(id) ?? 0) + Number(quantity));
  }
  for (const { id, quantity, filledQuantity, remainingQuantity } of orders) {
    if ((filled.get(id) ?? 0) !== Number(filledQuantity))
      wrong(`order ${id} says ${filledQuantity} filled, its fills say ${filled.get(id) ?? 0}`);
    if (Number(filledQuantity) + Number(remainingQuantity) !== Number(quantity)) wrong(`order ${id} does not add up`);
  }
}

const IDENTITY = [
  'symbol',
  'account',
  'side',
  'type',
  'timeInForce',
  'price',
  'quantity',
  'clientOrderId',
  'createdAt',
  'sequence',
] as const;

function randomOrder(random: () => number, clientOrderId: string): NewOrder {
  const common = {
    symbol: random() < 0.7 ? 'BTC-USD' : 'ETH-USD',
    account: `a${Math.floor(random() * 5)}`,
    side: random() < 0.5 ? ('buy' as const) : ('sell' as const),
    quantity: String(1 + Math.floor(random() * 9)),
    clientOrderId,
  };
  if (random() < 0.1) return { ...common, type: 'market' };
  const price = String(95 + Math.floor(random() * 10));
  if (random() < 0.05) return { ...common, type: 'stop-limit', price, stopPrice: String(95 + Math.floor(random() * 10)) };
  if (random() < 0.1) return { ...common, type: 'limit', price, displayQuantity: '1' };
  return {
    ...common,
    type: 'limit',
    price,
    timeInForce: random() < 0.15 ? 'IOC' : random() < 0.05 ? 'FOK' : 'GTC',
  };
}

/** A small generator (mulberry32), so that a failing seed can be run again. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const HELP = `Usage: node engine/prove/kill.ts [--rounds N] [--durability memory|commit|disk] [--seed N] [--minutes N]

Kills an engine under load with SIGKILL, N times (default 200), and checks after each restart that every acknowledged order, fill and cancel
is there, as acknowledged, and nothing twice. Exit status 1 and a list when it is not; 2 when --minutes were over before the last round, which
then is said: the rounds until then are checked all the same.
`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '200' },
      durability: { type: 'string', default: 'disk' },
      seed: { type: 'string' },
      minutes: { type: 'string', default: 'Infinity' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const durability = (['memory', 'commit', 'disk'] as const).find((known) => known === values.durability);
  const rounds = Number(values.rounds);
  const seed = values.seed === undefined ? Date.now() : Number(values.seed);
  if (values.help === true) process.stdout.write(HELP);
  else if (durability === undefined || !Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed)) {
    process.stderr.write(`--rounds and --seed take whole numbers, --durability memory, commit or disk\n\n${HELP}`);
    process.exitCode = 2;
  } else {
    const startMs = performance.now();
    process.stdout.write(`seed ${seed}, durability ${durability}\n`);
    const { violations, ...figures } = await proveKill({
      rounds,
      durability,
      seed,
      untilMs: startMs + Number(values.minutes) * 60_000,
      progress: (line) => process.stdout.write(`${line}\n`),
    });
    process.stdout.write(`${JSON.stringify({ ...figures, seconds: Math.round((performance.now() - startMs) / 1000) })}\n`);
    for (const violation of violations) process.stdout.write(`VIOLATION ${violation}\n`);
    const isCut = violations.length === 0 && figures.rounds < rounds;
    if (isCut) process.stdout.write(`stopped by the clock: ${figures.rounds} of ${rounds} rounds\n`);
    process.exitCode = violations.length > 0 ? 1 : isCut ? 2 : 0;
  }
}
