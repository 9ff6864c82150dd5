/** Random and damaged protobuf to every method of the orders port, unary and streamed. What comes back must be an answer or a refusal that says why. */
import { strictEqual } from 'node:assert';
import { Client, credentials, Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { METHODS } from '../client/grpc-contract.ts';
import type { FrameNoise } from './frame-noise.ts';

const AT_ONCE = 16;
const MESSAGES_OF_STREAM = 20;
const DEADLINE_MS = 20_000;
const asIs = (bytes: Buffer): Buffer => bytes;
/** What a client may be told, whatever it sends; INTERNAL only of bytes that are no message, which the library says so. */
const FINE: ReadonlySet<status> = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.ALREADY_EXISTS,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
]);

export interface GrpcNoiseOptions {
  readonly address: string;
  readonly token: string;
  readonly noise: FrameNoise;
  readonly messages: number;
}

/** How often each status ended a call. Throws at one that no client deserves. */
export async function sendGrpcNoise({ address, token, noise, messages }: GrpcNoiseOptions): Promise<Record<string, number>> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const seen: Record<string, number> = {};
  const progress = { sent: 0 };
  const count = ({ code, details }: StatusObject, what: string): void => {
    const isFine = FINE.has(code) || (code === status.INTERNAL && /deserializ/i.test(details));
    strictEqual(isFine, true, `${what} ended with ${code} ${details}`);
    const name = status[code];
    seen[name] = (seen[name] ?? 0) + 1;
  };
  const unary = async (): Promise<void> => {
    const methods = Object.values(METHODS).filter(({ requestStream, responseStream }) => !requestStream && !responseStream);
    const { path } = methods[noise.below(methods.length)] as (typeof methods)[number];
    const bytes = damaged(noise, requestFor(noise, path));
    progress.sent += 1;
    const ended = await new Promise<StatusObject>((resolve) => {
      const call = client.makeUnaryRequest(path, asIs, asIs, bytes, metadata, { deadline: Date.now() + DEADLINE_MS }, () => undefined);
      call.on('status', resolve);
    });
    count(ended, `${path} with ${bytes.toString('hex')}`);
  };
  const stream = async (): Promise<void> => {
    const call = client.makeBidiStreamRequest(METHODS.orderEntry.path, asIs, asIs, metadata, { deadline: Date.now() + DEADLINE_MS });
    const over = { is: false };
    const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve)).finally(() => (over.is = true));
    call.on('error', () => undefined);
    call.resume();
    for (let left = MESSAGES_OF_STREAM; left > 0 && !over.is; left -= 1) {
      progress.sent += 1;
      const bytes = METHODS.orderEntry.requestSerialize({ commands: Array.from({ length: 1 + noise.below(10) }, () => commandOf(noise)) });
      await new Promise((resolve) => call.write(damaged(noise, bytes), resolve));
    }
    call.end();
    count(await ended, 'a stream');
  };
  const work = async (): Promise<void> => {
    while (progress.sent < messages) await (noise.below(8) === 0 ? stream() : unary());
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    client.close();
  }
  return seen;
}

function orderOf(noise: FrameNoise) {
  return {
    symbol: ['BTC-USD', 'ETH-USD', 'NONE', ''][noise.below(4)] as string,
    account: ['a0', 'a1', 'a2', 'no spaces'][noise.below(4)] as string,
    side: 1 + noise.below(2),
    type: 1 + noise.below(2),
    timeInForce: noise.below(6),
    priceTicks: noise.below(3) === 0 ? 0 : 95 + noise.below(11),
    quantityLots: noise.below(12),
    stopPriceTicks: 0,
    displayLots: 0,
    expiresAtMicros: 0,
    postOnly: noise.below(9) === 0,
    selfTradePrevention: noise.below(9) === 0 ? noise.below(8) : 0,
    clientOrderId: noise.below(8) === 0 ? `00000000000000${10 + noise.below(40)}` : '',
    cancelOnDisconnect: noise.below(9) === 0,
  };
}

function commandOf(noise: FrameNoise) {
  const account = ['a0', 'a1', 'a2'][noise.below(3)] as string;
  const orderId = 1 + noise.below(5000);
  const commands = [
    { place: orderOf(noise) },
    { place: orderOf(noise) },
    { replace: { account, orderId, remainingLots: noise.below(9), priceTicks: noise.below(110) } },
    { cancel: { account, orderId } },
    { massCancel: { account } },
  ];
  return { request: noise.below(1000), ...commands[noise.below(commands.length)] };
}

function requestFor(noise: FrameNoise, path: string): Buffer {
  const orderId = 1 + noise.below(5000);
  switch (path) {
    case METHODS.placeOrder.path:
      return METHODS.placeOrder.requestSerialize(orderOf(noise));
    case METHODS.replaceOrder.path:
      return METHODS.replaceOrder.requestSerialize({
        orderId,
        priceTicks: noise.below(110),
        quantityLots: noise.below(9),
        stopPriceTicks: 0,
      });
    case METHODS.cancelOrder.path:
    case METHODS.getOrder.path:
      return METHODS.getOrder.requestSerialize({ orderId });
    case METHODS.massCancel.path:
      return METHODS.massCancel.requestSerialize({ account: 'a0', symbol: '' });
    case METHODS.getBook.path:
      return METHODS.getBook.requestSerialize({ symbol: 'BTC-USD', depth: noise.below(20) });
    default:
      return Buffer.alloc(0);
  }
}

function damaged(noise: FrameNoise, message: Buffer): Buffer {
  const bytes = Buffer.from(message);
  switch (noise.below(6)) {
    case 0:
      return bytes;
    case 1:
      return bytes.subarray(0, noise.below(bytes.length + 1));
    case 2:
      return Buffer.from(Array.from({ length: noise.below(200) }, () => noise.below(256)));
    case 3:
      return Buffer.concat([bytes, Buffer.from(Array.from({ length: noise.below(12) }, () => 255)), bytes]);
    default:
      for (let left = 1 + noise.below(4); left > 0 && bytes.length > 0; left -= 1) bytes[noise.below(bytes.length)] = noise.below(256);
      return bytes;
  }
}
