/** The short form of `npm run prove -- frames`, over the sockets of an engine process. */
import { expect, it } from 'vitest';
import { runWire } from './frame-wire.ts';

it('an engine goes on under damaged frames and protobuf, and its journal gives its books', async () => {
  const { frames, placed, closed, grpc, commands } = await runWire({ seed: 1, frames: 4000, grpcMessages: 400 });
  expect(frames).toBeGreaterThanOrEqual(4000);
  expect(commands).toBeGreaterThanOrEqual(placed);
  expect(placed).toBeGreaterThan(100);
  expect(closed[1002]).toBeGreaterThan(10);
  expect(grpc['OK']).toBeGreaterThan(10);
});
