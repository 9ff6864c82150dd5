/** What every WebSocket begins with: which protocol, whose token, and how it is refused. */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Problem } from '../../service/problem.ts';
import { problemJson } from '../problem-json.ts';

/** Sub-protocols of frames. */
export const BINARY = 'hft.binary.v1';
export const JSON_FORM = 'hft.json.v1';
const BEARER = 'bearer.';

export function offeredProtocols({ headers }: IncomingMessage): string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
}

/** The token of the header, or the one that a browser sends among the sub-protocols. */
export function tokenOf({ headers: { authorization = '' } }: IncomingMessage, offered: readonly string[]): string | undefined {
  return /^bearer /i.test(authorization) ? authorization.slice(7) : offered.find((one) => one.startsWith(BEARER))?.slice(BEARER.length);
}

export function refuseUpgrade(socket: Duplex, problem: Problem): void {
  const body = problemJson(problem);
  const retry = problem.retryAfterMs === undefined ? '' : `retry-after: ${Math.max(1, Math.ceil(problem.retryAfterMs / 1000))}\r\n`;
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${retry}connection: close\r\n\r\n${body}`,
  );
}
