/**
 * Proof of the time that recovery takes: a journal of many commands, written by the engine's own parts, is read back by an engine process: whole at
 * first, and from the newest snapshot that it has taken by then afterwards. Both must reach the state in which it was written.
 */
import { readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { AdminClient } from '../client/admin.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { MatchingCore } from '../core/core.ts';
import { randomWords } from '../core/random-commands.ts';
import { ANY_ACCOUNT, BUY, CANCEL_ORDER, GTC, IOC, LIMIT, NEW_ORDER, SELL } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { Accounts } from '../service/accounts.ts';
import { instrumentOf, rulesOf } from '../service/instruments.ts';
import { Sequencer } from '../service/sequencer.ts';
import { spawnEngine, untilReady } from './engine-process.ts';

export interface RecoveryProof {
  readonly commands: number;
  readonly openOrders: number;
  /** Of the whole journal, and from the newest snapshot that the first run has taken. */
  readonly wholeMs: number;
  readonly snapshotMs: number;
  /** Commands replayed after that snapshot: all when the read models, which take it, had not come so far. */
  readonly tail: number;
  /** Empty when the proof holds. */
  readonly violations: string[];
}

/** Throws when an engine does not start within `limitMs` and a margin. */
export async function proveRecovery(options: { commands: number; limitMs: number; seed: number }): Promise<RecoveryProof> {
  const directory = mkdtempSync(join(tmpdir(), 'hft-recovery-'));
  const violations: string[] = [];
  try {
    const written = await writeJournal(join(directory, 'data'), options.commands, options.seed);
    const whole = await recovered(join(directory, 'data'), options.limitMs);
    const again = await recovered(join(directory, 'data'), options.limitMs);
    for (const [name, { sequence, stateHash, durationMs }] of Object.entries({ whole, again })) {
      if (sequence !== written.sequence || stateHash !== written.stateHash)
        violations.push(`${name}: sequence ${sequence} with hash ${stateHash}, written were ${written.sequence} with ${written.stateHash}`);
      if (durationMs > options.limitMs) violations.push(`${name}: ${Math.round(durationMs)} ms, at most ${options.limitMs} are allowed`);
    }
    return {
      commands: options.commands,
      openOrders: written.openOrders,
      wholeMs: Math.round(whole.durationMs),
      snapshotMs: Math.round(again.durationMs),
      tail: again.commands,
      violations,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function writeJournal(
  dataDirectory: string,
  commands: number,
  seed: number,
): Promise<{ sequence: number; stateHash: string; openOrders: number }> {
  const journal = SqliteJournal.open(dataDirectory, 'commit');
  const core = new MatchingCore();
  const records = DEFAULT_CONFIG.instruments.map((instrument, id) => ({ id, ...instrument }));
  journal.addInstruments(records);
  for (const record of records) core.setInstrument(record.id, rulesOf(instrumentOf(record, DEFAULT_CONFIG), DEFAULT_CONFIG.risk));
  const accounts = new Accounts([]);
  const failures: Error[] = [];
  const fail = (cause: Error): void => void failures.push(cause);
  const sequencer = new Sequencer({
    core,
    journal,
    accounts,
    observer: { matched: () => undefined, committed: () => undefined },
    nowMicros: () => Date.now() * 1000,
    onFull: fail,
    onFatal: fail,
  });
  const random = randomWords(seed);
  const below = (limit: number): number => random() % limit;
  while (core.sequence < commands) {
    for (let burst = 0; burst < 512 && core.sequence < commands; burst += 1) {
      if (below(100) < 30 && core.sequence > 0) {
        sequencer.send({ kind: CANCEL_ORDER, orderId: 1 + Math.max(0, core.sequence - below(20_000)), account: ANY_ACCOUNT });
        continue;
      }
      const name = `a${below(1000)}`;
      const account = accounts.idFor(name);
      const side = below(2) === 0 ? BUY : SELL;
      const distance = below(400) - 20;
      const priceTicks = 100_000 + (side === BUY ? -distance : distance);
      const timeInForce = below(10) === 0 ? IOC : GTC;
      sequencer.send(
        { kind: NEW_ORDER, instrument: below(2), account, side, type: LIMIT, timeInForce, priceTicks, quantityLots: 1 + below(100) },
        { account: name },
      );
    }
    await nextTick();
  }
  await sequencer.settled();
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  const state = { sequence: core.sequence, stateHash: core.stateHash(), openOrders: core.openOrders };
  sequencer.close();
  journal.close();
  return state;
}

async function recovered(dataDirectory: string, limitMs: number) {
  const engine = await spawnEngine({ dataDirectory });
  try {
    await untilReady(engine.baseUrl, 3 * limitMs + 30_000);
    const token = readFileSync(join(dataDirectory, 'admin-token'), 'utf8').trim();
    const admin = new AdminClient({ baseUrl: engine.opsUrl, token, timeoutMs: 30_000 });
    const { recovery } = await admin.status();
    await admin.close();
    engine.kill('SIGTERM');
    const code = await engine.ended;
    if (code !== 0) throw new Error(`the engine ended with ${code}:\n${engine.output()}`);
    return recovery;
  } finally {
    engine.kill('SIGKILL');
    await engine.ended;
  }
}

const HELP = `Usage: node engine/prove/recovery.ts [--commands N] [--limit MS] [--seed N]

Writes a journal of N commands (5,000,000), starts an engine on it, stops it, and starts it again. Exit status 1 when one of the two recoveries
takes longer than the limit (10,000 ms) or reaches another state than was written.
`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      commands: { type: 'string', default: '5000000' },
      limit: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [commands = 0, limitMs = 0, seed = 0] = [values.commands, values.limit, values.seed].map(Number);
  if (values.help === true) process.stdout.write(HELP);
  else if (!(commands >= 1) || !(limitMs >= 1) || !Number.isInteger(seed)) {
    process.stderr.write(`--commands, --limit and --seed take whole numbers\n\n${HELP}`);
    process.exitCode = 2;
  } else {
    const { violations, ...figures } = await proveRecovery({ commands, limitMs, seed });
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    for (const violation of violations) process.stdout.write(`VIOLATION ${violation}\n`);
    process.exitCode = violations.length === 0 ? 0 : 1;
  }
}
