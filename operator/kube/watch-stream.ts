/** Reads a watch's body: one JSON object a line, however the bytes are cut into chunks. */
import { KubeError } from './errors.ts';
import type { KubeObject, Live } from './resource.ts';

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Live<T> }
  | { readonly type: 'BOOKMARK'; readonly object: { readonly metadata: { readonly resourceVersion: string } } }
  | { readonly type: 'ERROR'; readonly object: unknown };

/** Objects are at most about 1.5 MiB; a line beyond this is not an event. */
const MAX_LINE_CHARACTERS = 32 * 1024 * 1024;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function parseEvent<T extends KubeObject>(line: string, path: string): WatchEvent<T> {
  const bad = (why: string, cause?: unknown): KubeError => new KubeError(why, { code: 'badResponse', method: 'GET', path, cause });
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw bad(`a watch line of ${line.length} characters is not JSON`, error);
  }
  if (!isRecord(event)) throw bad('a watch line is not an event');
  const { type, object } = event;
  if (type === 'ERROR') return { type, object };
  const metadata = isRecord(object) ? object['metadata'] : undefined;
  const version = isRecord(metadata) ? metadata['resourceVersion'] : undefined;
  if (!isRecord(metadata) || typeof version !== 'string') throw bad(`a watch event of type ${String(type)} has no resourceVersion`);
  if (type === 'BOOKMARK') return { type, object: { metadata: { resourceVersion: version } } };
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') throw bad(`unknown watch event type ${String(type)}`);
  if (typeof metadata['name'] !== 'string' || typeof metadata['uid'] !== 'string')
    throw bad('a watch event has an object without name or uid');
  return { type, object: object as Live<T> };
}

/**
 * The events of a watch body until it ends. Throws KubeError `badResponse` for a line that is not an event and for a last line without its end, because that event
 * was lost. `onChunk` is called for every chunk of bytes.
 */
export async function* readWatch<T extends KubeObject>(
  body: AsyncIterable<Uint8Array>,
  path: string,
  onChunk: () => void = () => undefined,
): AsyncGenerator<WatchEvent<T>> {
  const decoder = new TextDecoder();
  let pending: string[] = [];
  let pendingLength = 0;
  for await (const chunk of body) {
    onChunk();
    const text = decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const line = pending.join('') + text.slice(from, end);
      pending = [];
      pendingLength = 0;
      from = end + 1;
      if (line.trim() !== '') yield parseEvent<T>(line, path);
    }
    if (from < text.length) {
      pending.push(text.slice(from));
      pendingLength += text.length - from;
      if (pendingLength > MAX_LINE_CHARACTERS) throw new KubeError('a watch line has no end', { code: 'badResponse', method: 'GET', path });
    }
  }
  const rest = pending.join('') + decoder.decode();
  if (rest.trim() !== '') {
    throw new KubeError(`the watch ended inside an event, ${rest.length} characters of it`, { code: 'badResponse', method: 'GET', path });
  }
}
