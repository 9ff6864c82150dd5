/** How connections end. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Gatekeeper } from '../../access/gatekeeper.ts';
import type { Principal } from '../../access/principal.ts';

/** Close codes: those of RFC 6455, and our own from 4000. */
export const CLOSE = {
  protocol: 1002,
  unsupported: 1003,
  elsewhere: 1008,
  restart: 1012,
  slow: 4000,
  silent: 4001,
  expired: 4002,
  flood: 4003,
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
export function closeSocket(ws: WebSocket, code: number, text: string, closeMs = CLOSE_MS): void {
  ws.close(code, text);
  const timer = setTimeout(() => ws.terminate(), closeMs).unref();
  ws.once('close', () => clearTimeout(timer));
}

/** One of which nothing more is read is cut then: late, so that a client that floods the engine again and again costs little. */
const UNREAD_MS = 10_000;

/** The same for a client that floods the engine, or does not read: what it sends would be gone through frame by frame, for nothing. */
export function closeUnread(ws: WebSocket, socket: Socket, code: number, text: string): void {
  closeSocket(ws, code, text, UNREAD_MS);
  ws.pause();
  // It reads again: it may answer the handshake.
  if (code === CLOSE.slow) socket.once('drain', () => ws.resume());
}

/** Heartbeats that may fail to come. */
const MOST_SILENT = 3;

/** Closes a connection whose client is silent, or whose token holds no longer; gives whether it did. Asked once a heartbeat. */
export function closeWhenDue(
  connection: { readonly silent: number; readonly principal: Principal; close(code: number, why: string): void },
  gatekeeper: Gatekeeper,
  nowMs: number,
): boolean {
  const { silent, principal } = connection;
  if (silent > MOST_SILENT) connection.close(CLOSE.silent, 'nothing was heard for three heartbeats');
  else if (principal.expiresAtMs <= nowMs) connection.close(CLOSE.expired, 'the token has expired: connect with a new one');
  else if (!gatekeeper.holds(principal))
    connection.close(CLOSE.expired, 'the key of the token is no longer taken: connect with a new token');
  else return false;
  return true;
}
