/** HTTP without a server: what is written on a connection that has no request. */
import { STATUS_CODES } from 'node:http';
import type { Problem } from '../../service/problem.ts';
import { problemJson } from '../problem-json.ts';
import { ownRequestId, REQUEST_ID_HEADER } from './request-id.ts';

/** A whole answer, for a connection that has no request. */
export function brokenHttpAnswer(problem: Problem): string {
  const requestId = ownRequestId();
  const body = problemJson(problem, requestId);
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${REQUEST_ID_HEADER}: ${requestId}\r\nconnection: close\r\n\r\n${body}`;
}
