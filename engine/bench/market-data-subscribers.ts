/**
 * Subscribers of the market data benchmarks, a process of their own: `PORT TOKEN COUNT` follow level 2 (ten levels) of the first instrument. Says when all
 * do; answers each message with what came since the last. It stands for other machines, so the engine's threads go before it.
 */
import { setPriority } from 'node:os';
import { encodeMessage } from '../client/websocket-codec.ts';
import { masked, upgraded } from './ws-load.ts';

const AT_ONCE = 50;
const SUBSCRIBE = masked(
  encodeMessage([{ frame: 'subscribe', number: 1, fromSequence: 0, instrument: 0, depth: 10, account: 0, channel: 'book' }]),
);

setPriority(19);
const [port = '', token = '', count = ''] = process.argv.slice(2);
let reads = 0;
let bytes = 0;

async function subscribe(): Promise<void> {
  const { socket } = await upgraded(Number(port), '/v1/market-data', `authorization: Bearer ${token}\r\n`);
  socket.on('data', (data) => {
    reads += 1;
    bytes += data.length;
  });
  socket.write(SUBSCRIBE);
}

for (let open = 0; open < Number(count); open += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, subscribe));
process.on('message', () => {
  process.send?.({ reads, bytes });
  reads = 0;
  bytes = 0;
});
process.send?.('subscribed');
