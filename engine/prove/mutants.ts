/**
 * Breaks the core on purpose, one place at a time, and runs its tests on each broken copy: a mutant that no test notices is a hole in the
 * tests. Every mutant is a piece of text that occurs once in its file, and what replaces it.
 */
import { execa } from 'execa';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

type Mutant = readonly [file: string, from: string, to: string];

const MUTANTS: readonly Mutant[] = [
  ['book.ts', 'if (key > worstKey) break;', 'if (key >= worstKey) break;'],
  ['book.ts', 'if (makerLots > remaining) {', 'if (makerLots >= remaining) {'],
  ['book.ts', 'doubles[half + LOTS] = left;', ''],
  ['book.ts', 'this.lastTradeTicks = priceTicks;', ''],
  ['book.ts', 'limitTicks === 0 ? Infinity : buying ? limitTicks : -limitTicks', 'limitTicks === 0 ? Infinity : limitTicks'],
  ['book.ts', 'words[order + PREVIOUS] = tail;', 'words[order + PREVIOUS] = 0;'],
  ['book.ts', 'words[order + ACCOUNT] = account;', 'words[order + ACCOUNT] = 1;'],
  ['book.ts', '(words[order + ACCOUNT] as number) >>> 0 : -1', '(words[order + ACCOUNT] as number) : -1'],
  ['book.ts', 'else words[tail + NEXT] = order;', ''],
  ['book.ts', 'if (previous !== 0) words[previous + NEXT] = next;\n    else levels.heads[level] = next;', 'levels.heads[level] = next;'],
  ['book.ts', 'else levels.tails[level] = previous;', ''],
  ['book.ts', 'if (next === 0 && previous === 0) ladder.close(level);', 'if (next === 0) ladder.close(level);'],
  ['book.ts', 'orders.give(order);\n    this.openOrders', 'this.openOrders'],
  ['book.ts', 'if (ladder >> 1 !== this.#instrument) return -1;', ''],
  ['book.ts', 'this.#take(order, id, (ladder & 1) === BUY ? this.#bids : this.#asks);', 'this.#take(order, id, this.#bids);'],
  ['book.ts', 'this.#store.hasRoom() && this.#side(side).reserve()', 'true'],
  ['book.ts', 'if (sum <= Number.MAX_SAFE_INTEGER) notional = sum;', 'if (sum > 0) notional = sum;'],
  ['book.ts', 'Math.min(mostLots - lots, ', 'Math.min(mostLots, '],
  ['bitmap.ts', '(-1 << (from & 31))', '(-1 << (member & 31))'],
  ['bitmap.ts', 'if (left !== 0) return;', ''],
  ['bitmap.ts', 'if (leftWords === 0) this.#top', 'this.#top'],
  ['bitmap.ts', 'return (-1 << index) << 1;', 'return -1 << (index + 1);'],
  ['bitmap.ts', 'if (word >= this.#bits.length) return -1;', ''],
  ['id-index.ts', 'if (distance >= gap) {', 'if (distance > gap) {'],
  ['id-index.ts', '(entry & FAR) < FAR ? entry & FAR : this.#distance(entry >>> 8, at)', 'entry & FAR'],
  ['id-index.ts', '(entry & ~FAR) | Math.min(distance - gap, FAR)', 'entry'],
  ['id-index.ts', 'entries[hole] = 0;', ''],
  ['id-index.ts', 'if (size <= this.#entries.length) return true;', 'return true;'],
  ['id-index.ts', '((reference >> 3) << 8) | Math.min(distance, FAR)', '((reference >> 3) << 8) | (distance & FAR)'],
  ['ladder.ts', 'if (this.best === 0 || key < ', 'if (this.best === 0 || key > '],
  ['ladder.ts', 'this.best = this.size === 0 ? 0 : this.after(level);', 'this.best = 0;'],
  ['ladder.ts', 'this.#occupied.remove(offset);', ''],
  ['ladder.ts', 'this.#far.copyWithin(position, position + 1, this.#farSize);', ''],
  ['ladder.ts', 'if (position < this.#farSize && this.#far[position] === level) position += 1;', ''],
  ['ladder.ts', '(near !== 0 && offset >= 0)) return near;', 'near !== 0) return near;'],
  ['ladder.ts', 'if (this.#levels.keys[found] === key) return found;', ''],
  ['ladder.ts', 'this.#far.copyWithin(position + near, position, this.#farSize);', ''],
  ['ladder.ts', 'this.#farSize = kept;', ''],
  ['ladder.ts', 'if (!this.#widen(width)) this.#cells.fill(0);', 'this.#widen(width);'],
  ['ladder.ts', 'this.#occupied.clear();', ''],
  ['ladder.ts', 'if (this.size < this.#far.length) return true;', 'return true;'],
  ['ladder.ts', 'this.#farVisits > PATIENCE + (this.size >> 2)', 'false'],
  ['ladder.ts', 'const best = Math.min(key, this.#levels.keys[this.best] as number);', 'const best = key;'],
  ['ladder.ts', 'width = Math.min(LARGEST_BITMAP, width * WIDENING);', 'return;'],
  ['level-pool.ts', 'this.ladders[level] = ladder;', ''],
  ['level-pool.ts', 'heads.set(this.heads);', ''],
  ['order-pool.ts', 'words.set(this.words);', ''],
  ['order-pool.ts', 'if (this.live === this.capacity) return 0;', ''],
  ['order-store.ts', 'this.ids.reserve(this.orders.nextCapacity) && this.orders.grow()', 'this.orders.grow()'],
  ['order-store.ts', 'orders.capacity - orders.live < orders.capacity >> 3', 'false'],
  ['core.ts', 'command.type === LIMIT ? command.priceTicks : 0', 'command.priceTicks'],
  ['core.ts', 'mayRest(command) && !book.hasRoom(command.side)', '!book.hasRoom(command.side)'],
  ['core.ts', 'return order.type === LIMIT && order.timeInForce === GTC;', 'return order.type === LIMIT;'],
  ['core.ts', 'hash.add(this.#timestampMicros);', ''],
  ['core.ts', '(command.account !== undefined && command.account !== owner)', 'command.account !== owner'],
  ['risk.ts', 'if (product < limits.surelyWithin) return false;', 'if (product <= Number(limits.maxNotional)) return false;'],
  ['risk.ts', 'order.quantityLots > limits.maxOrderLots', 'order.quantityLots >= limits.maxOrderLots'],
  ['risk.ts', 'return distance * 100 > referenceTicks * percent;', 'return distance * 100 >= referenceTicks * percent;'],
  ['core.ts', 'command.timeInForce === FOK && ', ''],
  ['core.ts', '< command.quantityLots) {', '<= command.quantityLots) {'],
  ['book.ts', 'lots < wantedLots && (keys[level] as number) <= worstKey', 'lots < wantedLots && (keys[level] as number) < worstKey'],
  ['book.ts', 'level !== 0 && (keys[level] as number) <= worstKey;\n      const priceTicks', 'level !== 0;\n      const priceTicks'],
  ['risk.ts', 'best > priceTicks && ', 'best < priceTicks && '],
  ['hash.ts', 'this.#word(Math.floor(value / 0x1_0000_0000) | 0);', ''],
];

const HELP = `npm run prove -- mutants [--only FILE]

Breaks engine/core in ${MUTANTS.length} ways, one at a time, in a copy, and runs its unit tests on each. Exit code 1 when a mutant lives.

  --only FILE   only the mutants of one file, such as book.ts`;

/** A test run that takes so many times as long as that of the whole core has met an endless loop, which is one way to notice. */
const PATIENCE = 5;

async function caught(directory: string, [file, from, to]: Mutant, timeoutMs: number): Promise<boolean> {
  const path = join(directory, 'engine/core', file);
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} does not hold exactly once: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  try {
    const run = await execa('vitest', ['run', '--project', 'unit', '--bail', '1', 'engine/core'], {
      cwd: directory,
      preferLocal: true,
      reject: false,
      stdin: 'ignore',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    return run.exitCode !== 0;
  } finally {
    writeFileSync(path, text);
  }
}

const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean', default: false } } });
if (values.help) {
  console.log(HELP);
} else {
  const root = resolve(import.meta.dirname, '../..');
  const directory = mkdtempSync(join(tmpdir(), 'hft-mutants-'));
  try {
    for (const path of ['engine/core', 'engine/prove', 'package.json', 'tsconfig.json', 'vitest.config.ts'])
      cpSync(join(root, path), join(directory, path), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    const startMs = performance.now();
    if (await caught(directory, ['core.ts', 'hash.hex()', 'hash.hex()'], 0)) throw new Error('the tests fail without any mutant');
    const timeoutMs = Math.max(5000, Math.ceil(PATIENCE * (performance.now() - startMs)));
    const chosen = MUTANTS.filter(([file]) => values.only === undefined || file === values.only);
    let alive = 0;
    for (const [index, mutant] of chosen.entries()) {
      const dead = await caught(directory, mutant, timeoutMs);
      if (!dead) alive += 1;
      const [file, from, to] = mutant;
      console.log(`${index + 1}/${chosen.length} ${dead ? 'caught' : 'LIVES '} ${file}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`);
    }
    console.log(`${chosen.length - alive} of ${chosen.length} mutants caught`);
    process.exitCode = alive === 0 && chosen.length > 0 ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
