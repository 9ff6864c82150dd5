/**
 * What one connection may ask for before it has read the answers. Node reads 64 KiB at once, which is two thousand requests, and works on all of
 * them: without these bounds a client that never reads makes the engine answer each.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that wait for their answers to be sent. */
const MOST_ANSWERS = 32;
/** What may wait in answers when one more request comes, in bytes. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** For the answers to those that were taken; then the connection is cut. Long, so that clients that come again and again cost little. */
const UNREAD_MS = 10_000;

/** The answers of a connection that are still to be sent, oldest first, and the last one. */
const answersOf = new WeakMap<Socket, ServerResponse[]>();
/** Connections that end with an answer under way. */
const ending = new WeakSet<Socket>();

/** Bounds every connection of a server whose requests go to one listener. */
export function boundPipelining(server: Server, unreadMs: number = UNREAD_MS): void {
  const [handler] = server.listeners('request') as [RequestListener];
  server.removeListener('request', handler);
  server.on('request', (request, response) => {
    if (isTaken(request, response, unreadMs)) handler(request, response);
  });
}

/** Whether a request is worked on. One that is too many is not, nor any behind it: the answers before are sent, then the connection ends. */
function isTaken(request: IncomingMessage, response: ServerResponse, unreadMs: number): boolean {
  const { socket } = request;
  const answers = answersOf.get(socket);
  if (answers === undefined) {
    answersOf.set(socket, [response]);
    return true;
  }
  if (ending.has(socket)) return false;
  while (answers[0]?.closed === true) answers.shift();
  const last = answers.at(-1);
  if (last !== undefined && isTooMuch(answers)) {
    endUnread(socket, last, unreadMs);
    return false;
  }
  answers.push(response);
  return true;
}

function isTooMuch(answers: readonly ServerResponse[]): boolean {
  if (answers.length === MOST_ANSWERS) return true;
  let bytes = 0;
  for (const { writableLength } of answers) bytes += writableLength;
  return bytes > MOST_UNREAD_BYTES;
}

/** Whether the connection already ends with an answer to what was taken. */
export function isEnding(socket: Socket): boolean {
  return ending.has(socket);
}

/** The answer that is still to be sent to the last request that came whole: only the last request can be one that has not. */
export function dueOn(socket: Socket): ServerResponse | undefined {
  const answers = answersOf.get(socket) ?? [];
  const last = answers.at(-1);
  const whole = last?.req.complete === true ? last : answers.at(-2);
  return whole === undefined || whole.closed ? undefined : whole;
}

/** Ends a connection when `last` has been sent. */
export function endAfter(socket: Socket, last: ServerResponse): void {
  ending.add(socket);
  last.shouldKeepAlive = false;
  last.once('close', () => socket.destroySoon());
}

/**
 * The same for one that nothing more is read of: closing it at once would throw away answers that are on their way, and let a client that never
 * reads come again at once.
 */
function endUnread(socket: Socket, last: ServerResponse, unreadMs: number): void {
  ending.add(socket);
  stopParsing(socket);
  // Node reads on when an answer has been sent.
  socket.on('resume', () => socket.pause());
  socket.pause();
  last.once('close', () => socket.end());
  const timer = setTimeout(() => socket.destroy(), unreadMs).unref();
  socket.once('close', () => clearTimeout(timer));
}

/**
 * Node would go through the rest of what it has read, some 30 us a request, and keep a request and an answer of each until the connection is closed. Its parser
 * stops at a negative number from what it calls with each request; a socket's parser is no documented part of it, and without it things only cost more.
 */
function stopParsing(socket: Socket): void {
  const parser: unknown = Reflect.get(socket, 'parser');
  if (parser !== null && typeof parser === 'object' && 'onIncoming' in parser) parser.onIncoming = () => -1;
}
