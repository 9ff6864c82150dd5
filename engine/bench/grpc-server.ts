/** The server's process of the gRPC benchmarks: an engine, and beside it bare grpc-js that answers messages of the same size with nothing done. */
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { Server, ServerCredentials, type sendUnaryData, type ServerDuplexStream, type ServerUnaryCall } from '@grpc/grpc-js';
import { keyFileOf } from '../access/key-file.ts';
import { localToken } from '../access/local-token.ts';
import { METHODS, type PlaceOrderRequest, type PlaceOrderResponse } from '../client/grpc-contract.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { runEngine } from '../service/process.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

/** Bytes of the answer to an order in a stream, and of its field's head. */
const ANSWER_BYTES = 33;

const directory = temporaryDirectory();
const running = await runEngine({
  config: {
    ...DEFAULT_CONFIG,
    journal: { durability: 'commit' },
    limits: { ordersPerSecond: 1_000_000, burst: 1_000_000, requestsPerSecond: 1_000_000, requestBurst: 1_000_000 },
    observability: { dashboard: false, logLevel: 'fatal' },
  },
  dataDirectory: directory,
  host: '127.0.0.1',
  port: 0,
  opsPort: 0,
  grpcPort: 0,
  adminToken: 'a-token-for-benchmarks-only',
  keysFile: keyFileOf(undefined, directory),
  onFatal: (cause) => {
    throw cause;
  },
});
await running.started;
const token = await localToken(directory, DEFAULT_CONFIG.engine);

const FILL = {
  sequence: 123_456,
  index: 0,
  priceTicks: 10_000,
  quantityLots: 10,
  makerOrderId: 123_455,
  takerOrderId: 123_456,
  takerSide: 2,
  executedAtMicros: Date.now() * 1000,
};
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
      // As of the engine, where every second order trades.
      const fills = request.side === 2 ? [FILL] : [];
      send(null, { order, fills, fillCount: fills.length, repeated: false });
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
  process.send?.({ token, engine: running.grpcPort, bare: (listener.address() as AddressInfo).port });
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
