/** What a start must know of the recovered state and the core has no question for: read from its state words (docs/matching.md, "The state, in words"). */
import type { Core } from '../core/types.ts';

export interface Volatility {
  readonly bandPercent: number;
  readonly windowMicros: number;
  readonly haltMicros: number;
  readonly auctionMicros: number;
}

export interface CoreFacts {
  /** Of the instruments that have settings other than 0. */
  readonly volatility: ReadonlyMap<number, Volatility>;
  /** Sessions that open and pending orders belong to. */
  readonly sessions: ReadonlySet<number>;
}

const NO_VOLATILITY: Volatility = { bandPercent: 0, windowMicros: 0, haltMicros: 0, auctionMicros: 0 };
const HEAD_WORDS = 4;
const KILLED_ACCOUNTS_WORD = 3;
const INSTRUMENT_WORDS = 10;
const VOLATILITY_WORD = 6;
const LISTS = 4;
const ORDER_WORDS = 10;
const SESSION_WORD = 8;
const END = -1;

export function volatilityIn(facts: CoreFacts, instrument: number): Volatility {
  return facts.volatility.get(instrument) ?? NO_VOLATILITY;
}

/** Walks the whole state once: for a start. */
export function factsOf(core: Core): CoreFacts {
  const volatility = new Map<number, Volatility>();
  const sessions = new Set<number>();
  /** What the next word belongs to. */
  let part: 'head' | 'killed' | 'instrument' | 'length' | 'orders' | 'rest' = 'head';
  let read: number[] = [];
  let wordsLeft = 0;
  let listsLeft = 0;
  let place = 0;

  const nextList = (): void => {
    part = listsLeft > 0 ? 'length' : 'instrument';
    read = [];
  };
  const visit = (word: number): void => {
    switch (part) {
      case 'head':
        read.push(word);
        if (read.length < HEAD_WORDS) return;
        wordsLeft = read[KILLED_ACCOUNTS_WORD] as number;
        read = [];
        part = wordsLeft > 0 ? 'killed' : 'instrument';
        return;
      case 'killed':
        wordsLeft -= 1;
        if (wordsLeft === 0) part = 'instrument';
        return;
      case 'instrument': {
        if (read.length === 0 && word === END) {
          part = 'rest';
          return;
        }
        read.push(word);
        if (read.length < INSTRUMENT_WORDS) return;
        const [bandPercent = 0, windowMicros = 0, haltMicros = 0, auctionMicros = 0] = read.slice(VOLATILITY_WORD);
        volatility.set(read[0] as number, { bandPercent, windowMicros, haltMicros, auctionMicros });
        listsLeft = LISTS;
        nextList();
        return;
      }
      case 'length':
        listsLeft -= 1;
        wordsLeft = word * ORDER_WORDS;
        place = 0;
        if (word === 0) nextList();
        else part = 'orders';
        return;
      case 'orders':
        if (place === SESSION_WORD && word !== 0) sessions.add(word);
        place = (place + 1) % ORDER_WORDS;
        wordsLeft -= 1;
        if (wordsLeft === 0) nextList();
        return;
      case 'rest':
    }
  };
  core.eachStateWord(visit);
  return { volatility, sessions };
}
