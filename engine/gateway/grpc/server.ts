/** The gRPC server: its limits, its services, and its end. */
import type { AddressInfo } from 'node:net';
import { Server, type ServerOptions } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import type { Certificates } from '../../access/tls.ts';
import { MARKET_SERVICE, METHODS, ORDER_SERVICE, PACKAGE } from '../../client/grpc-contract.ts';
import type { Engine } from '../../service/engine.ts';
import type { RateLimiter } from '../rate-limit.ts';
import type { OrderEntry } from '../../service/order-entry.ts';
import { ConnectionBound } from '../../protection/addresses.ts';
import type { UnaryParts } from './calls.ts';
import { EntryService } from './entry-service.ts';
import { EngineHealth } from './health.ts';
import { listenerOf } from './listener.ts';
import { marketService } from './market-service.ts';
import { orderService } from './order-service.ts';

/** A thousand orders in one message of a stream, with long names. */
const MOST_MESSAGE_BYTES = 256 * 1024;
const MOST_CONNECTIONS = 10_000;
const SERVICES = ['hftengine.v1.OrderService', 'hftengine.v1.MarketService'];
const OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': MOST_MESSAGE_BYTES,
  'grpc.max_concurrent_streams': 1000,
  // A client that does not answer a ping is gone, whatever its connection looks like; so is one that never said anything.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_connection_idle_ms': 600_000,
  'grpc.enable_channelz': 0,
};

export interface GrpcParts extends UnaryParts {
  readonly engine: Engine;
  /** Of the orders of each account: the same on every way in. */
  readonly limiter: RateLimiter;
  readonly entry: OrderEntry;
  /** The port speaks TLS, with these. */
  readonly certificates?: Certificates | undefined;
}

export interface GrpcServer {
  /** Listens; gives the port. Rejects when it cannot be had. */
  listen(this: void, host: string, port: number): Promise<number>;
  /** Takes no new calls, lets those under way end, within `timeoutMs`; then cuts what is left. */
  close(timeoutMs: number): Promise<void>;
}

/** A server that does not listen yet. */
export function createGrpcServer(parts: GrpcParts): GrpcServer {
  const { engine } = parts;
  const server = new Server(OPTIONS);
  const entry = new EntryService(parts);
  server.addService(
    { ...ORDER_SERVICE, OrderEntry: { ...METHODS.orderEntry, requestDeserialize: asIs, responseSerialize: asIs } },
    { ...orderService(parts), OrderEntry: entry.open },
  );
  server.addService(MARKET_SERVICE, marketService(parts));
  const health = new EngineHealth(engine, SERVICES);
  health.addToServer(server);
  new ReflectionService(PACKAGE, { services: SERVICES }).addToServer(server);
  const { listener, close } = listenerOf(server, {
    certificates: parts.certificates,
    mostConnections: MOST_CONNECTIONS,
    watch: (sockets) => new ConnectionBound(() => engine.admission.settings.connectionsPerAddress).watch(sockets),
  });

  return {
    listen: async (host, port) =>
      await new Promise((resolve, reject) => {
        listener.once('error', reject);
        listener.listen({ host, port, backlog: 1024 }, () => {
          listener.off('error', reject);
          resolve((listener.address() as AddressInfo).port);
        });
      }),
    close: async (timeoutMs) => {
      health.stop();
      entry.drain();
      await close(timeoutMs);
    },
  };
}

/** Streams of orders decode and encode by themselves. */
function asIs(bytes: Buffer): Buffer {
  return bytes;
}
