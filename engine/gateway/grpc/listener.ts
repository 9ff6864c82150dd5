/** What takes the connections of a gRPC server, with TLS or without. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificates } from '../../access/tls.ts';
import { tlsOnly } from '../../access/tls-only.ts';

/** `take` gets every connection, above TLS where there is one; `cutSilent` ends those that have said nothing. */
export function listenerOf(
  certificates: Certificates | undefined,
  take: (socket: Socket) => void,
): { listener: Server; cutSilent: () => void } {
  if (certificates === undefined) return { listener: createServer({ noDelay: true }, take), cutSilent: () => undefined };
  const listener = createTlsServer({ noDelay: true, ...certificates.options(['h2']) }, take);
  certificates.serve(listener);
  return { listener, cutSilent: tlsOnly(listener, '') };
}
