/**
 * The configuration in force, and how another comes into force while orders are taken: validated whole first, then everything in one turn of the event
 * loop between two commands, so that no order is judged by half of it. A change that is refused changes nothing.
 */
import { changedKeys, isHot } from '../../crds/config-changes.ts';
import { configHash, type EngineConfig } from '../../crds/engine-config.ts';
import type { AppliedConfig } from '../client/admin.ts';
import { validateConfig } from '../config/config.ts';
import { ANY_ACCOUNT, KILL_SWITCH, REJECT, type Command } from '../core/types.ts';
import { accountRulesOf, rulesOf, volatilityOf } from './instruments.ts';
import type { Market } from './market.ts';
import { Actor } from './principal-numbers.ts';
import { busyProblem, Problem } from './problem.ts';

interface ConfigLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export class LiveConfig {
  readonly #log: ConfigLog;
  readonly #requireAccepting: () => Market;
  readonly #listeners: ((config: EngineConfig) => void)[] = [];
  #config: EngineConfig;
  #hash: string;
  #failure: string | undefined;
  /** Changes that were taken over, and that were refused, since the process started. */
  reloads = 0;
  failures = 0;

  /** `requireAccepting` gives the market, and throws Problem while it takes no commands. */
  constructor(config: EngineConfig, log: ConfigLog, requireAccepting: () => Market) {
    this.#config = config;
    this.#hash = configHash(config);
    this.#log = log;
    this.#requireAccepting = requireAccepting;
  }

  get config(): EngineConfig {
    return this.#config;
  }

  get hash(): string {
    return this.#hash;
  }

  /** Why the last change was refused; undefined when it was not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** `listener` is told of every configuration that comes into force, in the turn of the event loop in which it does. It must not throw. */
  onChange(listener: (config: EngineConfig) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Brings `value` into force; resolves when what of it is a command is durable. Throws Problem when it is refused, and nothing has changed then. With
   * `expectedHash` only in place of that configuration.
   */
  async apply(value: unknown, expectedHash?: string, sender?: string): Promise<AppliedConfig> {
    try {
      const { market, changed } = this.#change(value, expectedHash, sender);
      this.#failure = undefined;
      if (changed.length > 0) {
        this.reloads += 1;
        this.#log.info({ configHash: this.#hash, changed }, 'another configuration is in force');
      }
      // No room for the commands: the rebuild that this sets off commands again what the configuration says.
      await market?.sequencer.settled().catch((cause: unknown) => {
        if (!(cause instanceof Problem)) throw cause;
      });
      return { configHash: this.#hash, changed };
    } catch (cause) {
      this.refused(cause instanceof Error ? cause.message : String(cause));
      throw cause;
    }
  }

  /** A change that could not even be read is a refused one, too. */
  refused(reason: string): void {
    this.failures += 1;
    this.#failure = reason;
    this.#log.warn({ configHash: this.#hash, reason }, 'a change of the configuration is refused: the one before stays in force');
  }

  /** Never waits: from the first check to the last rule it is one turn of the event loop. */
  #change(value: unknown, expectedHash: string | undefined, sender: string | undefined): { market?: Market; changed: string[] } {
    const checked = validateConfig(value);
    if (!checked.ok) throw new Problem('HFT_CONFIG_INVALID', checked.faults.join('\n'));
    const before = this.#config;
    const after = checked.config;
    if (expectedHash !== undefined && expectedHash !== this.#hash) {
      throw new Problem(
        'HFT_CONFIG_CONFLICT',
        `configuration ${this.#hash} is in force, not ${expectedHash}: make the change from that one`,
        {
          field: 'expectedHash',
        },
      );
    }
    const changed = changedKeys(before, after);
    const fixed = changed.filter((key) => !isHot(key));
    if (fixed.length > 0) {
      throw new Problem(
        'HFT_CONFIG_NEEDS_RESTART',
        `${fixed.join(', ')}: a running engine does not take this over; restart it with the change`,
        {
          field: fixed[0],
        },
      );
    }
    if (changed.length === 0) return { changed };
    const market = this.#requireAccepting();
    command(market, commandsFor(before, after, market), sender);
    const { core, instruments, desk } = market;
    for (const instrument of instruments) core.setInstrument(instrument.id, rulesOf(instrument, after.risk));
    core.setAccountRules(accountRulesOf(after.risk));
    desk.setRisk(after.risk);
    this.#config = after;
    this.#hash = configHash(after);
    for (const listener of this.#listeners) listener(after);
    return { market, changed };
  }
}

/** What the change must command. What an admin call has switched meanwhile stays as it is unless the configuration itself says otherwise than before. */
function commandsFor(before: EngineConfig, after: EngineConfig, { instruments }: Market): Command[] {
  const commands: Command[] = [];
  if (JSON.stringify(before.risk.volatility) !== JSON.stringify(after.risk.volatility))
    for (const { id, listed } of instruments) if (listed) commands.push(volatilityOf(id, after.risk));
  const { killSwitch } = after.risk;
  if (killSwitch !== before.risk.killSwitch) commands.push({ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: killSwitch });
  return commands;
}

function command({ sequencer }: Market, commands: readonly Command[], sender: string | undefined): void {
  const actor = sender === undefined ? undefined : new Actor(sender);
  if (!sequencer.hasRoomFor(commands.length)) throw busyProblem();
  for (const one of commands) {
    const reject = sequencer.send(one, { actor });
    if (reject !== REJECT.none) throw new Error(`command ${one.kind} of a configuration was refused with ${reject}`);
  }
}
