/**
 * Mutants that no test can catch, because they match the same: they change only what something costs, or what can never be seen. Each has been looked at
 * by a person. They count neither as caught nor as alive.
 */
export interface EquivalentMutant {
  readonly file: string;
  /** The line as it is, trimmed. */
  readonly before: string;
  /** The line as the mutant has it, trimmed, or what that looks like; left out when no mutant of the line can be seen. */
  readonly after?: string | RegExp;
  readonly why: string;
}

const HOME = 'where an entry stands is a matter of speed, as long as all who look for it agree';
const SHORTCUT = 'without the short cut, or with more doubt, the exact way says the same';
const AHEAD = 'what is done ahead of need is done at need otherwise';
const TUNING = 'when the window of a ladder moves, and how far, is a matter of speed';
const UNREAD = 'is written before it is read';

export const EQUIVALENT_MUTANTS: readonly EquivalentMutant[] = [
  { file: 'holdings.ts', before: 'const MULTIPLIER = 0x9e3779b1 | 0;', why: HOME },
  { file: 'id-index.ts', before: 'const MULTIPLIER = 0x9e3779b1 | 0;', why: HOME },
  { file: 'extras.ts', before: 'const MULTIPLIER = 0x9e3779b1 | 0;', why: HOME },
  { file: 'holdings.ts', before: '#shift = Math.clz32(FIRST_ROWS * 2 - 1);', why: HOME },
  { file: 'extras.ts', before: '#shift = Math.clz32(FIRST_ROWS * 2 - 1);', why: HOME },
  { file: 'holdings.ts', before: 'this.#shift = Math.clz32(this.#mask);', why: HOME },
  { file: 'extras.ts', before: 'this.#shift = Math.clz32(this.#mask);', why: HOME },
  { file: 'client-ids.ts', before: 'this.#shift = Math.clz32(this.#mask);', why: HOME },
  {
    file: 'client-ids.ts',
    before: 'const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(account, 0xc2b2ae35), 0x9e3779b1);',
    why: HOME,
  },
  { file: 'client-ids.ts', before: 'return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> this.#shift;', why: HOME },
  { file: 'extras.ts', before: 'return Math.imul(reference >> 3, MULTIPLIER) >>> this.#shift;', after: />> [24]|<< 3/, why: HOME },
  {
    file: 'order-store.ts',
    before: 'this.ids.remove(order, this.orders.doubles[order >> 1] as number);',
    after: /remove/,
    why: 'from a wrong id on the entry is found later: it is known by its order',
  },
  { file: 'risk.ts', before: 'const DOUBT = 2 ** -26;', why: SHORTCUT },
  {
    file: 'risk.ts',
    before: 'if (product < limits.surelyWithin) return false;',
    after: /<=|^if \(product < limits.surelyWithin\) ;/,
    why: SHORTCUT,
  },
  {
    file: 'risk.ts',
    before: 'if (product > limits.surelyOver) return true;',
    after: />=|^if \(product > limits.surelyOver\) ;/,
    why: SHORTCUT,
  },
  {
    file: 'risk.ts',
    before: 'if (value < limits.surelyWithin) return false;',
    after: /<=|^if \(value < limits.surelyWithin\) ;/,
    why: SHORTCUT,
  },
  {
    file: 'risk.ts',
    before: 'if (value > limits.surelyOver) return true;',
    after: />=|^if \(value > limits.surelyOver\) ;/,
    why: SHORTCUT,
  },
  {
    file: 'risk.ts',
    before: 'if (best * quantityLots < limits.surelyWithin) return false;',
    after: /<=|^if \(best \* quantityLots < limits.surelyWithin\) ;/,
    why: SHORTCUT,
  },
  {
    file: 'risk.ts',
    before: 'if (best <= limitTicks) return overNotional(limitTicks, quantityLots, limits);',
    after: /^if \(best (< limitTicks\) return|<= limitTicks\) ;)/,
    why: SHORTCUT,
  },
  {
    file: 'risk.ts',
    before: 'if (priceTicks < limitTicks) break;',
    after: 'if (priceTicks <= limitTicks) break;',
    why: 'a lot that trades at the limit is worth what one that is left is worth',
  },
  {
    file: 'risk.ts',
    before: 'if (distance * 100 <= Number.MAX_SAFE_INTEGER && referenceTicks * percent <= Number.MAX_SAFE_INTEGER)',
    after: / < Number/,
    why: SHORTCUT,
  },
  {
    file: 'holdings.ts',
    before: 'return account < this.#accounts && this.#killed[account] === 1;',
    after: /<=|^return (true|this)/,
    why: 'beyond its end the array holds no 1 either',
  },
  { file: 'order-store.ts', before: 'this.expiring += 1;', why: 'swept too often, the heap of expiries holds the same' },
  { file: 'order-store.ts', before: 'this.#sweep();', why: AHEAD },
  { file: 'order-rules.ts', before: 'holding = -1;', why: UNREAD },
  { file: 'order-rules.ts', before: 'this.holding = holding;', why: 'it is looked for again when it is not known' },
  { file: 'extras.ts', before: 'stopTicks = 0;', why: UNREAD },
  { file: 'extras.ts', before: 'limitTicks = 0;', why: UNREAD },
  {
    file: 'matcher.ts',
    before: 'const avoided = mode === ALLOW ? -1 : holding;',
    after: /-2/,
    why: 'no row is below 0',
  },
  {
    file: 'book.ts',
    before: 'if (fromHidden > 0) this.#extras.doubles[this.#extras.row(order) + HIDDEN] = hidden - fromHidden;',
    after: /fromHidden >= 0/,
    why: 'hides as much as before, or writes before the first row, where nothing is',
  },
  {
    file: 'book.ts',
    before: 'if (fromHidden > 0) this.#holdings.reduced(this.holdingOf(order), this.sideOf(order), this.valueTicks(order), fromHidden);',
    after: /fromHidden >= 0/,
    why: 'takes 0 away',
  },
  {
    file: 'state-words.ts',
    before: 'if (((packed / TIME_IN_FORCE) & 7) === DAY) flags |= IS_DAY;',
    after: /& 6/,
    why: 'DAY is the largest time in force',
  },
  {
    file: 'id-index.ts',
    before: 'if (size <= this.#entries.length) return true;',
    after: /\) ;$/,
    why: 'entries that are put into a new index of the same size are found there as well',
  },
  {
    file: 'ladder.ts',
    before: 'if (this.#farSize === 0 || (near !== 0 && offset >= 0)) return near;',
    after: /\) ;$/,
    why: SHORTCUT,
  },
  { file: 'risk.ts', before: 'let value = 0;', after: 'let value = (-1);', why: SHORTCUT },
  {
    file: 'order-flow.ts',
    before: 'const own = holding >= 0 ? holding : store.holdings.take(account, book.instrument);',
    after: /holding (> 0|>= 1)|false/,
    why: 'a row that is known already is found again',
  },
  { file: 'ladder.ts', before: 'return true;', after: ';', why: 'cells that are new are filled with 0 once more' },
  { file: 'ladder.ts', before: 'const PATIENCE = 32;', why: TUNING },
  { file: 'ladder.ts', before: 'const FIRST_FAR = 64;', why: TUNING },
  {
    file: 'ladder.ts',
    before: 'else if (this.#farVisits > PATIENCE + (this.size >> 2)) this.#adapt(key);',
    after: /PATIENCE/,
    why: TUNING,
  },
  {
    file: 'express.ts',
    before: 'if (book.band.windowMicros > 0) book.band.renewReference(lastTradeTicks, store.timestampMicros);',
    after: /true|>= 0/,
    why: 'the band looks at its window itself',
  },
  {
    file: 'order-flow.ts',
    before: 'terms.stopTicks = isWide ? (doubles[half + 8] as number) : 0;',
    after: /: (1|\(-1\));$|true/,
    why: 'only a stop reads it, which is wide',
  },
  { file: 'extras.ts', before: 'const ROW_DOUBLES = 4;', after: /5/, why: 'a row that is longer than it need be' },
  {
    file: 'extras.ts',
    before: 'for (const entry of old) if (entry !== 0) index[this.#place(references[entry - 1] as number)] = entry;',
    after: /true|-1/,
    why: 'writes 0 where 0 is',
  },
  {
    file: 'extras.ts',
    before: 'return this.displayLots > 0 || this.expiryMicros > 0 || this.session > 0;',
    after: />= 0|> \(-1\)/,
    why: 'a row of extra terms that says that there are none',
  },
  {
    file: 'book.ts',
    before: 'if ((this.flagsOf(order) & HAS_EXTRAS) === 0) return 0;',
    after: /false|-1|\) ;$/,
    why: 'caught where the row that is missing is hidden lots; what it shows anew, undefined, is no more than 0 either',
  },
  {
    file: 'book.ts',
    before: 'if ((extras.doubles[extras.row(order) + EXPIRY] as number) > 0) this.#store.expiring -= 1;',
    after: /-= 2/,
    why: 'swept too often, the heap of expiries holds the same',
  },
  {
    file: 'decimal.ts',
    before:
      "typeof steps === 'number' && product <= Number.MAX_SAFE_INTEGER ? String(product) : String(BigInt(steps) * BigInt(this.#units));",
    after: / < Number/,
    why: SHORTCUT,
  },
  { file: 'holdings.ts', before: '#mask = FIRST_ROWS * 2 - 1;', after: /\* 1/, why: HOME },
  {
    file: 'mass-cancel.ts',
    before: 'if (session !== 0 && ((flags & HAS_EXTRAS) === 0 || extras.session(extras.row(order)) !== session)) continue;',
    after: /flags \| HAS|=== \(-1\)/,
    why: 'where there is no row there is no session either',
  },
  { file: 'order-store.ts', before: 'const FIRST_ORDERS = 1024;', why: 'how much memory is taken at first' },
  {
    file: 'order-flow.ts',
    before: 'if (priceTicks === book.keyTicks(order) && lots <= before) {',
    after: /lots < before/,
    why: 'a replacement that changes nothing is refused',
  },
  {
    file: 'client-ids.ts',
    before: 'for (let at = (hole + 1) & mask; (index[at] as number) !== 0; at = (at + 1) & mask) {',
    after: /hole \+ 0/,
    why: 'moves the entry at the hole to where it is',
  },
  { file: 'extras.ts', before: 'const index = new Int32Array(capacity * 2);', after: /3/, why: 'places that no entry has its home at' },
  {
    file: 'auction.ts',
    before: 'const buyIsMaker = book.idOf(buy) < book.idOf(sell);',
    after: /<=/,
    why: 'no two orders have one id',
  },
  { file: 'ladder.ts', before: '#base = 0;', why: 'without a window nothing is near its beginning, and the first price sets it' },
  {
    file: 'book.ts',
    before: 'return best === 0 ? 0 : this.#levels.head(best);',
    after: /false/,
    why: 'record 0 is none: nothing is ever written there, so the first order of level 0 is 0',
  },
  {
    file: 'extras.ts',
    before: 'this.doubles.fill(0, row, row + ROW_DOUBLES);',
    after: /fill\((1|\(-1\)),|^;$/,
    why: 'who adds a row writes its hidden and displayed lots and its expiry; its limit is read only of orders that wait, whose limit is written too',
  },
  {
    file: 'risk.ts',
    before: 'for (let order = book.first(side === BUY ? SELL : BUY); order !== 0 && remaining > 0; order = book.behind(order)) {',
    after: /remaining >= 0/,
    why: 'goes on to take 0 lots',
  },
  {
    file: 'risk.ts',
    before: 'return { ...rules, surelyWithin: bound * (1 - DOUBT), surelyOver: bound * (1 + DOUBT) };',
    after: /\(2 \+ DOUBT/,
    why: SHORTCUT,
  },
  {
    file: 'ladder.ts',
    before: 'if (this.#farSize === 0 || (near !== 0 && offset >= 0)) return near;',
    after: /offset >= 1/,
    why: SHORTCUT,
  },
  {
    file: 'holdings.ts',
    before: 'if (before === 0) figures[at + AVERAGE] = priceTicks;',
    after: /false/,
    why: 'from nothing, the last branch gives the same price: more is traded than the 0 that was held',
  },
  {
    file: 'band.ts',
    before: 'if (product <= Number.MAX_SAFE_INTEGER) return (product - (product % 100)) / 100;',
    after: /product < Number/,
    why: SHORTCUT,
  },
  { file: 'ladder.ts', before: 'const WIDENING = 4;', after: /[35]/, why: TUNING },
];
