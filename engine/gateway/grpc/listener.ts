/** What takes the connections of a gRPC server: the server itself would bound neither their number nor their end, and would need to be made anew for another certificate. */
import { createServer, type Server as Listener, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import type { Certificates } from '../../access/tls.ts';
import { tlsOnly } from '../../access/tls-only.ts';

export interface GrpcListener {
  readonly listener: Listener;
  /** The connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** Takes no more connections, lets what is under way end, within `timeoutMs`; then cuts what is left. */
  close(this: void, timeoutMs: number): Promise<void>;
}

/** The listener of `server`, with TLS where there are `certificates`; `watch` may end connections before anything is read of them. */
export function listenerOf(
  server: Server,
  {
    certificates,
    mostConnections,
    watch,
  }: { certificates: Certificates | undefined; mostConnections: number; watch: (listener: Listener) => void },
): GrpcListener {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const { listener, cutSilent } = socketsOf(certificates, (socket) => {
    // One that is one too many, or whose certificate was not good enough, has been ended meanwhile.
    if (!socket.destroyed) injector.injectConnection(socket);
  });
  watch(listener);
  const sockets = new Set<Socket>();
  listener.prependListener('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  listener.maxConnections = mostConnections;
  const close = async (timeoutMs: number): Promise<void> => {
    const closed = new Promise<void>((resolve) => {
      if (listener.listening) listener.close(() => resolve());
      else resolve();
    });
    injector.destroy();
    cutSilent();
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, timeoutMs);
    await closed;
    clearTimeout(cut);
  };
  return { listener, sockets, close };
}

/** `take` gets every connection, above TLS where there is one; `cutSilent` ends those that have said nothing. */
function socketsOf(certificates: Certificates | undefined, take: (socket: Socket) => void): { listener: Listener; cutSilent: () => void } {
  if (certificates === undefined) return { listener: createServer({ noDelay: true }, take), cutSilent: () => undefined };
  const listener = createTlsServer({ noDelay: true, ...certificates.options(['h2']) }, take);
  certificates.serve(listener);
  return { listener, cutSilent: tlsOnly(listener, '') };
}
