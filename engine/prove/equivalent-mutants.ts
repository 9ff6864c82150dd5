/**
 * Mutants that no test can catch, because they match the same: they change only what something costs, or what can never be seen. Each has been looked at
 * by a person. They count neither as caught nor as alive.
 */
export interface EquivalentMutant {
  readonly file: string;
  /** The line as it is, trimmed. */
  readonly before: string;
  /** The line as the mutant has it, trimmed; left out when no mutant of the line can be seen. */
  readonly after?: string;
  readonly why: string;
}

export const EQUIVALENT_MUTANTS: readonly EquivalentMutant[] = [];
