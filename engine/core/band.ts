/** The volatility band of an instrument: how far a trade may be from a reference price before trading is interrupted. */

export class Band {
  /** Whole percent; 0 for no band. */
  percent = 0;
  windowMicros = 0;
  haltMicros = 0;
  auctionMicros = 0;
  /** 0 before the first trade. */
  referenceTicks = 0;
  /** When the reference was set. */
  referenceAtMicros = 0;
  /** The prices inside are these two and those between. */
  lowTicks = -Infinity;
  highTicks = Infinity;

  configure(percent: number, windowMicros: number, haltMicros: number, auctionMicros: number): void {
    this.percent = percent;
    this.windowMicros = windowMicros;
    this.haltMicros = haltMicros;
    this.auctionMicros = auctionMicros;
    this.#refresh();
  }

  setReference(ticks: number, atMicros: number): void {
    this.referenceTicks = ticks;
    this.referenceAtMicros = atMicros;
    this.#refresh();
  }

  /** Takes the last trade for the reference when the window of the old one is over. */
  renewReference(lastTradeTicks: number, nowMicros: number): void {
    if (this.windowMicros > 0 && lastTradeTicks > 0 && nowMicros >= this.referenceAtMicros + this.windowMicros)
      this.setReference(lastTradeTicks, nowMicros);
  }

  /** How far from `referenceTicks` a price may be; Infinity without a band. Exact: prices are whole, so nothing lies between. */
  reach(referenceTicks: number): number {
    if (this.percent === 0 || referenceTicks === 0) return Infinity;
    const product = referenceTicks * this.percent;
    if (product <= Number.MAX_SAFE_INTEGER) return (product - (product % 100)) / 100;
    return Number((BigInt(referenceTicks) * BigInt(this.percent)) / 100n);
  }

  #refresh(): void {
    const reach = this.reach(this.referenceTicks);
    this.lowTicks = this.referenceTicks - reach;
    this.highTicks = this.referenceTicks + reach;
  }
}
