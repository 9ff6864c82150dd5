/** What a start must command, so that the recovered state is what the configuration says: journalled, so that a replay gives the same without it. */
import type { EngineConfig } from '../../crds/engine-config.ts';
import { ALL_INSTRUMENTS, ANY_ACCOUNT, DISCONNECTED, KILL_SWITCH, MASS_CANCEL, type Command, type Core } from '../core/types.ts';
import { factsOf, volatilityIn } from './core-facts.ts';
import { volatilityOf, type Instrument } from './instruments.ts';

/**
 * `liveSession` tells whether the connection of a session is still there. Unless the process `isStarting` (the books were rebuilt under it), a kill switch that
 * somebody turned on stays on.
 */
export function startCommands(
  core: Core,
  config: EngineConfig,
  instruments: readonly Instrument[],
  liveSession: (session: number) => boolean,
  isStarting: boolean,
): Command[] {
  const facts = factsOf(core);
  const commands: Command[] = [];
  for (const session of facts.sessions) {
    if (liveSession(session)) continue;
    commands.push({ kind: MASS_CANCEL, instrument: ALL_INSTRUMENTS, account: ANY_ACCOUNT, session, reason: DISCONNECTED });
  }
  for (const { id, listed } of instruments) {
    const wanted = volatilityOf(id, config.risk);
    const present = volatilityIn(facts, id);
    const same =
      wanted.bandPercent === present.bandPercent &&
      wanted.windowMicros === present.windowMicros &&
      wanted.haltMicros === present.haltMicros &&
      wanted.auctionMicros === present.auctionMicros;
    if (listed && !same) commands.push(wanted);
  }
  const { killSwitch } = config.risk;
  if (core.killed(ANY_ACCOUNT) !== killSwitch && (isStarting || killSwitch))
    commands.push({ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: killSwitch });
  return commands;
}
