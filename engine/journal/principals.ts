/** Names of principals as the journal holds them: a number stands for a name from the command on that carries the name, until another command gives the number again. */
import { commandWords, PRINCIPAL_WORD } from '../core/command.ts';
import { PRINCIPAL_NAME, type JournalBatch } from './types.ts';

/** number, name, sequence of the command. */
export type PrincipalName = readonly [number: number, name: string, sequence: number];

/** The names that a batch introduces, by sequence. */
export function principalsIn({ firstSequence, slots, words, texts }: JournalBatch): PrincipalName[] {
  const names: PrincipalName[] = [];
  let sequence = firstSequence;
  let at = 0;
  for (const text of texts) {
    if (text.kind !== PRINCIPAL_NAME) continue;
    for (; sequence < text.sequence && at < words; sequence += 1) at += commandWords(slots, at);
    names.push([slots.words[at + PRINCIPAL_WORD] as number, text.text, text.sequence]);
  }
  return names;
}
