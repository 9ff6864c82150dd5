/** What a change of the engine's configuration means: keys that a running engine takes over, and keys that need a restart. */
import { z } from 'zod';
import { engineConfigSchema, hotKeys, type EngineConfig } from './engine-config.ts';

/** Paths of all keys below `value` with their JSON; a list is one key. */
function leaves(value: unknown, path = ''): [key: string, json: string][] {
  if (value === undefined) return [];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, path === '' ? key : `${path}.${key}`));
}

/** The keys whose values differ, sorted. */
export function changedKeys(before: EngineConfig, after: EngineConfig): string[] {
  const [old, next] = [new Map(leaves(before)), new Map(leaves(after))];
  return [...new Set([...old.keys(), ...next.keys()])].filter((key) => old.get(key) !== next.get(key)).sort();
}

/** Whether a running engine takes a change of `key` over. What the schema does not mark needs a restart. */
export function isHot(key: string): boolean {
  let schema: z.ZodType | undefined = engineConfigSchema;
  for (const part of key.split('.')) {
    while (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) schema = schema.unwrap() as z.ZodType;
    schema = schema instanceof z.ZodObject ? (schema.shape[part] as z.ZodType | undefined) : undefined;
    if (schema === undefined) return false;
    if (hotKeys.has(schema)) return true;
  }
  return false;
}
