/** The server's process of the gRPC benchmarks: an engine, and beside it bare grpc-js that answers messages of the same size with nothing done. */
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { Server, ServerCredentials, type sendUnaryData, type ServerDuplexStream, type ServerUnaryCall } from '@grpc/grpc-js';
import { authorize } from '../access/authorize.ts';
import type { Principal } from '../access/principal.ts';
import { METHODS, type PlaceOrderRequest, type PlaceOrderResponse } from '../client/grpc-contract.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { runEngine } from '../service/process.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const ANYBODY: Principal = { subject: 'bench', roles: ['trader'], accounts: 'all', expiresAtMs: Date.now() + 3_600_000, keyId: 'bench' };
/** Bytes of the answer to an order in a stream, and of its field's head. */
const ANSWER_BYTES = 33;

const directory = temporaryDirectory();
const running = await runEngine({
  config: {
    ...DEFAULT_CONFIG,
    journal: { durability: 'commit' },
    limits: { ordersPerSecond: 10_000_000, burst: 20_000_000 },
    observability: { dashboard: false, logLevel: 'fatal' },
  },
  dataDirectory: directory,
  host: '127.0.0.1',
  port: 0,
  opsPort: 0,
  adminToken: 'a-token-for-benchmarks-only',
  grpc: { port: 0, gatekeeper: { authenticate: async () => await Promise.resolve(ANYBODY), authorize } },
  onFatal: (cause) => {
    throw cause;
  },
});
await running.started;

const asIs = (bytes: Buffer): Buffer => bytes;
const bare = new Server({ 'grpc.enable_channelz': 0 });
bare.addService(
  { PlaceOrder: METHODS.placeOrder, OrderEntry: { ...METHODS.orderEntry, requestDeserialize: asIs, responseSerialize: asIs } },
  {
    PlaceOrder: ({ request }: ServerUnaryCall<PlaceOrderRequest, PlaceOrderResponse>, send: sendUnaryData<PlaceOrderResponse>) => {
      const nowMicros = Date.now() * 1000;
      const order = {
        ...request,
        id: 123_456,
        status: 1,
        reason: 0,
        filledLots: 0,
        remainingLots: request.quantityLots,
        createdAtMicros: nowMicros,
        updatedAtMicros: nowMicros,
      };
      send(null, { order, fills: [], fillCount: 0, repeated: false });
    },
    /** The count of the orders, in the same size and number of answers: one message for each that came. */
    OrderEntry: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (bytes: Buffer) => {
        const orders = ordersIn(bytes);
        const answers = Buffer.alloc(orders * ANSWER_BYTES);
        for (let order = 0; order < orders; order += 1) {
          // A field of bytes with what a kind of PLACED is, and fields that nobody knows.
          answers.set([0x0a, ANSWER_BYTES - 2, 0x10, 1, 0xfa, 1, ANSWER_BYTES - 7], order * ANSWER_BYTES);
        }
        call.write(answers);
      });
      call.on('end', () => call.end());
    },
  },
);
const injector = bare.createConnectionInjector(ServerCredentials.createInsecure());
const listener = createServer({ noDelay: true }, (socket) => injector.injectConnection(socket));
listener.listen(0, '127.0.0.1', () => {
  process.send?.({ engine: running.grpcPort, bare: (listener.address() as AddressInfo).port });
});
process.once('disconnect', () => {
  rmSync(directory, { recursive: true, force: true });
  process.exit(0);
});

/** Length-delimited fields on the top level. */
function ordersIn(bytes: Buffer): number {
  let orders = 0;
  for (let at = 0; at < bytes.length; orders += 1) {
    const first = bytes[at + 1] as number;
    at += first < 0x80 ? 2 + first : 3 + (first & 0x7f) + ((bytes[at + 2] as number) << 7);
  }
  return orders;
}
