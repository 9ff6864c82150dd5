/** A TLS server that tells whoever speaks plain text to it so, instead of cutting the connection without a word. */
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import { HANDSHAKE_TIMEOUT_MS } from './tls.ts';

/** First byte of every TLS connection: the content type of a handshake. */
const HANDSHAKE = 0x16;
const LINGER_MS = 200;

/**
 * Looks at the first byte of every connection to `server` before TLS does. What begins otherwise gets `answer`, bytes that its protocol
 * understands, and its connection ends. Gives what cuts those that have said nothing yet.
 */
export function tlsOnly(server: Server, answer: string): () => void {
  const silent = new Set<Socket>();
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    const done = (): void => {
      clearTimeout(timer);
      silent.delete(socket);
    };
    // Whoever goes away meanwhile has no one to be told.
    const ignore = (): void => undefined;
    const look = (): void => {
      const head = socket.read() as Buffer | null;
      // An end is told in the same way.
      if (head === null) return;
      socket.off('readable', look);
      socket.off('close', done);
      done();
      if (head[0] === HANDSHAKE) {
        socket.off('error', ignore);
        socket.unshift(head);
        for (const take of listeners) Reflect.apply(take, server, [socket]);
        return;
      }
      socket.end(answer);
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    };
    socket.on('error', ignore);
    socket.once('close', done);
    socket.on('readable', look);
  });
  return () => {
    for (const socket of silent) socket.destroy();
  };
}
