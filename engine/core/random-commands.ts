/**
 * Seeded streams of commands that take an exchange everywhere: wandering and jumping markets, prices far away, huge quantities, stops that
 * trigger stops, icebergs, crossed books and their auctions, halts and their ends, limits that bite, commands that mean nothing.
 */
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  AUCTION,
  BUY,
  CANCEL_ORDER,
  CLOSED,
  DAY,
  DISCONNECTED,
  FOK,
  GTC,
  GTD,
  HALTED,
  IOC,
  KILL_SWITCH,
  LIMIT,
  MARKET,
  MASS,
  MASS_CANCEL,
  MOST_ACCOUNTS,
  NEW_ORDER,
  PRE_OPEN,
  REPLACE_ORDER,
  SELL,
  SET_STATE,
  SET_VOLATILITY,
  STOP,
  STOP_LIMIT,
  TRADING,
  type AccountRules,
  type Command,
  type InstrumentRules,
  type NewOrder,
  type ReplaceOrder,
  type SelfTrade,
  type TimeInForce,
  type TradingState,
} from './types.ts';

/** Rules that refuse nothing that can be counted. */
export const NO_LIMITS: InstrumentRules = {
  tradable: true,
  maxOrderLots: Number.MAX_SAFE_INTEGER,
  maxNotional: 2n ** 106n,
  priceBandPercent: 0,
  maxPositionLots: Infinity,
  maxOpenNotional: Infinity,
};

/** A pseudo-random generator (mulberry32): the same seed gives the same numbers from 0 to 2^32 - 1. */
export function randomWords(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  };
}

/** What comes next: a command at a time, or other rules. */
export type Step =
  | { readonly timestampMicros: number; readonly command: Command }
  | { readonly instrument: number; readonly rules: InstrumentRules }
  | { readonly accountRules: AccountRules };

/** A kind of market, for some hundred commands. Shares are out of 100. */
interface Weather {
  readonly cancels: number;
  readonly replaces: number;
  readonly stops: number;
  readonly icebergs: number;
  readonly atOnce: number;
  readonly spread: number;
  readonly far: number;
  readonly jumps: number;
  readonly lots: number;
  readonly accounts: number;
  readonly selfTrade: number;
}

/** How often another order is picked when one that is going to be changed turns out to have ended. */
const PICKS = 4;

/** Beyond so many orders that may rest, a stream often cancels the oldest: the books stay small enough for a naive model. */
const MOST_LIVE = 150;

/**
 * One stream. It needs no book to be useful: it remembers the ids of its latest orders. The same seed and the same
 * answers to `next` give the same stream.
 */
export class RandomCommands {
  readonly instruments: number;
  /** Whether limits bite. When they do, they keep every sum of lots and of notional a safe integer. */
  readonly limited: boolean;
  readonly #random: () => number;
  readonly #mids: number[];
  readonly #live: number[] = [];
  #weather: Weather;
  #timestampMicros = 1_700_000_000_000_000;
  #untilWeather = 0;
  #sequence = 0;
  #mayRest = false;
  #isOpen: (orderId: number) => boolean = () => true;
  readonly #pending: Command[] = [];

  constructor(seed: number, instruments: number) {
    this.instruments = instruments;
    this.#random = randomWords(seed);
    this.limited = this.#below(2) === 0;
    this.#mids = Array.from({ length: instruments }, () => this.#oneOf([60, 1000, 100_000]) + this.#below(50));
    this.#weather = this.#newWeather();
  }

  /**
   * `sequence` is that of the last command that was accepted: by it the stream knows the ids of its orders. `dueMicros`, when something is due,
   * takes its time there. `isOpen`, when it is given, lets most cancels and replacements find their order.
   */
  next(sequence: number, dueMicros = Infinity, isOpen: (orderId: number) => boolean = () => true): Step {
    this.#isOpen = isOpen;
    if (this.#mayRest && sequence > this.#sequence) this.#live.push(sequence);
    if (this.#live.length > 2 * MOST_LIVE) this.#live.shift();
    this.#mayRest = false;
    this.#sequence = sequence;
    if (this.#untilWeather === 0) {
      this.#weather = this.#newWeather();
      this.#untilWeather = 50 + this.#below(400);
    }
    this.#untilWeather -= 1;
    if (this.#chance(6)) return this.#otherRules();
    this.#passTime(dueMicros);
    const command = this.#pending.shift() ?? this.#command();
    this.#mayRest = command.kind === NEW_ORDER && command.timeInForce !== IOC && command.timeInForce !== FOK;
    return { timestampMicros: this.#timestampMicros, command };
  }

  #below(limit: number): number {
    return this.#random() % limit;
  }

  /** True so many times in a thousand. */
  #chance(permille: number): boolean {
    return this.#below(1000) < permille;
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[this.#below(values.length)] as T;
  }

  #newWeather(): Weather {
    return {
      cancels: this.#oneOf([3, 10, 25]),
      replaces: this.#oneOf([0, 8, 30]),
      stops: this.#oneOf([0, 5, 40]),
      icebergs: this.#oneOf([0, 10, 60]),
      atOnce: this.#oneOf([5, 10, 50]),
      spread: this.#oneOf([2, 5, 12, 50, 2000]),
      far: this.#oneOf([0, 0, 2, 20]),
      jumps: this.#oneOf([0, 5, 30]),
      lots: this.#oneOf([3, 20, 100]),
      accounts: this.#oneOf([1, 2, 4, 9]),
      selfTrade: this.#oneOf([0, 30, 100]),
    };
  }

  #otherRules(): Step {
    const finite = (values: readonly number[]): number => (this.limited ? this.#oneOf(values) : Infinity);
    if (this.#below(4) === 0) return { accountRules: { maxOpenOrders: finite([3, 20, 50, 1000]) } };
    const rules: InstrumentRules = {
      tradable: !this.#chance(20),
      maxOrderLots: this.limited ? this.#oneOf([50, 1000, Number.MAX_SAFE_INTEGER]) : Number.MAX_SAFE_INTEGER,
      maxNotional: this.limited ? this.#oneOf([10_000n, 10n ** 7n, 10n ** 9n, 2n ** 106n]) : NO_LIMITS.maxNotional,
      priceBandPercent: this.limited ? this.#oneOf([0, 0, 0, 3, 20, 50]) : 0,
      maxPositionLots: finite([50, 500, 5000, 10 ** 6]),
      maxOpenNotional: finite([10 ** 4, 10 ** 6, 10 ** 8, 10 ** 12]),
    };
    return { instrument: this.#below(this.instruments), rules };
  }

  /** The rules that a stream begins with. */
  firstRules(): InstrumentRules {
    return this.limited ? { ...NO_LIMITS, maxPositionLots: 10 ** 6, maxOpenNotional: 10 ** 12 } : NO_LIMITS;
  }

  /** Mostly a little; now and then to where something is due, or just before or after it. */
  #passTime(dueMicros: number): void {
    if (this.#chance(60) && dueMicros < this.#timestampMicros + 1_000_000) {
      this.#timestampMicros = Math.max(this.#timestampMicros, dueMicros - 1 + this.#below(3));
      this.#pending.unshift({ kind: ADVANCE_TIME });
    } else if (this.#below(4) === 0) this.#timestampMicros += this.#below(20);
  }

  #command(): Command {
    const weather = this.#weather;
    const special = this.#below(1000);
    if (special < 4) return this.#setVolatility();
    if (special < 9) return this.#setStates();
    if (special < 12) return this.#killSwitch();
    if (special < 15) return { kind: ADVANCE_TIME };
    if (special < 20)
      return {
        kind: MASS_CANCEL,
        instrument: this.#below(3) === 0 ? ALL_INSTRUMENTS : this.#below(this.instruments + (this.#chance(50) ? 2 : 0)),
        account: this.#someAccount(),
        session: this.#oneOf([0, 1, 1, 2, 2 ** 32 - 1]),
        reason: this.#chance(50) ? (this.#below(12) as typeof MASS) : this.#oneOf([MASS, DISCONNECTED]),
      };
    if (this.#live.length > MOST_LIVE && this.#chance(100))
      return { kind: CANCEL_ORDER, account: ANY_ACCOUNT, orderId: this.#live.shift() as number };
    const choice = this.#below(100);
    if (choice < weather.cancels) return this.#cancel();
    if (choice < weather.cancels + weather.replaces) return this.#replace();
    const order = this.#newOrder();
    return this.#chance(15) ? this.#spoiled(order) : order;
  }

  #someAccount(): number {
    return this.#below(3) === 0 ? ANY_ACCOUNT : this.#below(this.#weather.accounts + 1);
  }

  /** On, and soon off again; now and then the two are out of step. */
  #killSwitch(): Command {
    if (this.#chance(50)) return { kind: KILL_SWITCH, account: this.#oneOf([MOST_ACCOUNTS, ANY_ACCOUNT - 1]), on: true };
    const account = this.#chance(30) ? MOST_ACCOUNTS - 1 : this.#someAccount();
    for (let more = this.#below(10); more > 0; more -= 1) this.#pending.push(this.#newOrder());
    this.#pending.push({ kind: KILL_SWITCH, account, on: this.#chance(20) }, { kind: KILL_SWITCH, account: ANY_ACCOUNT, on: false });
    return { kind: KILL_SWITCH, account, on: true };
  }

  #setVolatility(): Command {
    const haltMicros = this.#oneOf([1, 50, 2000]);
    const auctionMicros = this.#oneOf([0, 30, 1000]);
    return {
      kind: SET_VOLATILITY,
      instrument: this.#below(this.instruments + (this.#chance(50) ? 1 : 0)),
      bandPercent: this.#oneOf([0, 0, 1, 5, 20, 300]),
      windowMicros: this.#oneOf([0, 1, 100, 10_000]),
      haltMicros: this.#chance(30) ? -1 : haltMicros,
      auctionMicros: this.#chance(30) ? 0.5 : auctionMicros,
    };
  }

  /** A state, and soon after what leads back to trading, so that no stream stays closed for long. */
  #setStates(): Command {
    if (this.#chance(30))
      return { kind: SET_STATE, instrument: -2 + this.#below(3), state: this.#oneOf([CLOSED + 1, 255, TRADING]) as TradingState };
    const instrument = this.#below(4) === 0 ? ALL_INSTRUMENTS : this.#below(this.instruments + (this.#chance(50) ? 1 : 0));
    const set = (state: TradingState): Command => ({ kind: SET_STATE, instrument, state });
    const first = this.#oneOf<TradingState>([PRE_OPEN, AUCTION, AUCTION, HALTED, CLOSED, TRADING]);
    if (first === PRE_OPEN || first === AUCTION) {
      // Long enough to cross the book.
      for (let order = this.#below(80); order > 0; order -= 1) this.#pending.push(this.#order(Math.max(instrument, 0), this.#chance(700)));
    } else if (first !== TRADING) for (let more = this.#below(6); more > 0; more -= 1) this.#pending.push(this.#newOrder());
    if (this.#chance(200)) this.#pending.push(set(this.#oneOf<TradingState>([PRE_OPEN, AUCTION, HALTED, CLOSED])), this.#newOrder());
    this.#pending.push(set(TRADING));
    return set(first);
  }

  #liveId(): number {
    let id = this.#someId();
    // Now and then one that has ended is just what is wanted.
    if (this.#chance(150)) return id;
    for (let more = PICKS; more > 0 && !this.#isOpen(id); more -= 1) {
      this.#forget(id);
      id = this.#someId();
    }
    return id;
  }

  #forget(orderId: number): void {
    const at = this.#live.indexOf(orderId);
    if (at >= 0) this.#live.splice(at, 1);
  }

  #someId(): number {
    // Mostly late ones: they are the likeliest to be open still.
    const late = this.#below(4) > 0 ? Math.max(0, this.#live.length - 20) : 0;
    const at = late + this.#below(this.#live.length + 1 - late);
    return this.#live[at] ?? Math.max(1, this.#sequence - this.#below(500));
  }

  #cancel(): Command {
    const orderId = this.#liveId();
    this.#forget(orderId);
    return { kind: CANCEL_ORDER, orderId, account: this.#below(8) === 0 ? this.#below(3) : ANY_ACCOUNT };
  }

  #replace(): ReplaceOrder {
    const mid = this.#oneOf(this.#mids);
    const price = (): number =>
      this.#below(3) === 0 ? 0 : Math.max(1, mid + this.#below(2 * this.#weather.spread) - this.#weather.spread);
    const lots = (): number => (this.#below(3) === 0 ? 0 : this.#lots());
    const stops = this.#below(4) === 0;
    return {
      kind: REPLACE_ORDER,
      orderId: this.#liveId(),
      account: this.#below(8) === 0 ? this.#below(3) : ANY_ACCOUNT,
      priceTicks: this.#chance(10) ? 1.5 : this.#chance(10) ? this.#farPrice() : stops && this.#below(2) === 0 ? 0 : price(),
      quantityLots: this.#chance(10) ? -1 : lots(),
      stopTicks: stops ? price() : 0,
      expectedLots: this.#below(5) === 0 ? this.#lots() : 0,
    };
  }

  #newOrder(): NewOrder {
    const instrument = this.#below(this.instruments);
    if (this.#below(1000) < this.#weather.jumps) {
      const mid = this.#mids[instrument] as number;
      const step = this.#oneOf([3, 20, Math.ceil(mid / 10), mid]);
      this.#mids[instrument] = Math.min(2 ** 40, Math.max(10, mid + this.#below(2 * step + 1) - step));
    }
    return this.#order(instrument, false);
  }

  /** An order near the market, or across it. */
  #order(instrument: number, crossing: boolean): NewOrder {
    const weather = this.#weather;
    const side = this.#oneOf([BUY, SELL] as const);
    const away = side === BUY ? -1 : 1;
    const depth = this.#below(weather.spread) - (crossing ? this.#below(weather.spread) : this.#below(1 + (weather.spread >> 1)));
    const near = Math.max(1, (this.#mids[instrument] as number) + away * depth);
    const priceTicks = this.#below(100) < weather.far ? this.#farPrice() : near;
    const quantityLots = this.#lots();
    const rests = this.#oneOf<TimeInForce>([GTC, GTC, GTC, GTD, DAY]);
    const common = {
      kind: NEW_ORDER,
      instrument,
      account: this.#below(weather.accounts),
      side,
      timeInForce: rests,
      priceTicks,
      quantityLots,
      expiryMicros: rests === GTD ? this.#timestampMicros + this.#oneOf([1, 50, 1000, 20_000]) + this.#below(3) : 0,
      selfTrade: (this.#below(100) < weather.selfTrade ? this.#below(5) : 0) as SelfTrade,
      session: this.#oneOf([0, 0, 1, 2, 2 ** 32 - 1]),
      clientIdLow: this.#below(5) === 0 ? this.#below(40) - 20 : 0,
      clientIdHigh: this.#below(25) === 0 ? this.#oneOf([-1, 7]) : 0,
    } as const;
    const iceberg = this.#below(100) < weather.icebergs ? this.#oneOf([1, 2, 5, quantityLots, quantityLots + 1]) : 0;
    // Not so little that one command could make a thousand fills of it.
    const displayLots = Math.min(iceberg === 0 ? 0 : Math.max(iceberg, Math.ceil(quantityLots / 60)), Number.MAX_SAFE_INTEGER);
    const choice = this.#below(100);
    if (choice < weather.stops) {
      // Most of them just beyond the market, where a trade soon comes.
      const stopTicks = Math.max(1, (this.#mids[instrument] as number) - away * (this.#below(weather.spread + 2) - (weather.spread >> 2)));
      if (this.#below(2) === 0) return { ...common, type: STOP, priceTicks: 0, stopTicks };
      return { ...common, type: STOP_LIMIT, stopTicks, displayLots };
    }
    if (this.#below(100) < weather.atOnce) {
      const timeInForce = this.#oneOf<TimeInForce>([IOC, IOC, FOK]);
      const market = this.#below(4) === 0;
      const large = this.#below(3) === 0 ? quantityLots * this.#oneOf([2, 5, 10]) : quantityLots;
      return {
        ...common,
        type: market ? MARKET : LIMIT,
        timeInForce,
        priceTicks: market ? 0 : Math.max(1, priceTicks - away * this.#below(weather.spread)),
        quantityLots: Math.min(large, Number.MAX_SAFE_INTEGER),
        expiryMicros: 0,
      };
    }
    return { ...common, type: LIMIT, displayLots, postOnly: this.#below(8) === 0 };
  }

  #lots(): number {
    if (this.#chance(this.limited ? 3 : 8)) return Number.MAX_SAFE_INTEGER - this.#below(1000);
    return 1 + this.#below(this.#weather.lots);
  }

  /** Anywhere in the legal range, each size as likely. */
  #farPrice(): number {
    return Math.min(1 + Math.floor(2 ** (this.#below(5301) / 100) - 1), Number.MAX_SAFE_INTEGER);
  }

  /** An order that must be refused, or nearly so. */
  #spoiled(order: NewOrder): NewOrder {
    const some = this.#oneOf([0, -1, 0.5, Number.NaN, Infinity, 2 ** 53, 1]);
    const ways: readonly Partial<NewOrder>[] = [
      { instrument: this.#oneOf([this.instruments, -1, 2 ** 31 - 1]) },
      { account: this.#oneOf([MOST_ACCOUNTS, MOST_ACCOUNTS - 1, ANY_ACCOUNT]) },
      { priceTicks: some },
      { quantityLots: some },
      { stopTicks: some },
      { displayLots: some },
      { displayLots: 1 + this.#below(3), quantityLots: 1023 + this.#below(1030) },
      { expiryMicros: this.#oneOf([some, this.#timestampMicros, this.#timestampMicros - 1]) },
      { postOnly: true },
      { type: this.#below(6) as NewOrder['type'] },
      { timeInForce: this.#below(7) as NewOrder['timeInForce'] },
      { selfTrade: this.#below(8) as NewOrder['selfTrade'] },
      { side: this.#below(4) as NewOrder['side'] },
      { priceTicks: -0, type: STOP, stopTicks: 1 },
    ];
    return { ...order, ...this.#oneOf(ways) };
  }
}
