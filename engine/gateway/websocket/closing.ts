/** How connections end. */
import type { WebSocket } from 'ws';

/** Close codes: those of RFC 6455, and our own from 4000. */
export const CLOSE = {
  protocol: 1002,
  unsupported: 1003,
  elsewhere: 1008,
  restart: 1012,
  slow: 4000,
  silent: 4001,
  expired: 4002,
} as const;

/** What fits into an `error` frame (its text is 116 bytes); of the reason of a closing handshake 123 may be. */
const MOST_TEXT_BYTES = 116;
/** A client that does not answer the closing handshake is cut then. */
const CLOSE_MS = 1000;

/** It may repeat what the client sent: of ASCII alone a character is a byte. */
export function asciiReason(why: string): string {
  return why.replace(/[^\x20-\x7e]/g, '?').slice(0, MOST_TEXT_BYTES);
}

/** Begins the closing handshake, and ends the connection when the client does not. */
export function closeSocket(ws: WebSocket, code: number, text: string): void {
  ws.close(code, text);
  setTimeout(() => ws.terminate(), CLOSE_MS).unref();
}
