/** The id of a request: the client's own `x-request-id` when it can be taken, else one that no other request of this process or of another has. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export const REQUEST_ID_HEADER = 'x-request-id';
/** What goes into logs and answers as it came: nothing that ends a line, opens a tag or fills a disk. */
const TAKEN = /^[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}$/;

const prefix = randomBytes(5).toString('hex');
let last = 0;

export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers[REQUEST_ID_HEADER];
  if (given !== undefined && typeof given === 'string' && TAKEN.test(given)) return given;
  return ownRequestId();
}

export function ownRequestId(): string {
  last += 1;
  return `${prefix}-${last.toString(36)}`;
}
