/** An engine's end of a WebSocket, that does what a test says. */
import { createServer as createHttp } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { decodeMessage, encodeMessage, type AnyFrame } from './websocket-codec.ts';

interface Script {
  /** What the engine does with a frame; connections count from 1. */
  readonly take?: (frame: AnyFrame, ws: WebSocket, connection: number) => void;
  /** What the upgrade of a connection is refused with. */
  readonly refuse?: (connection: number) => number | undefined;
  readonly heartbeatMs?: number;
}

/** A server that welcomes, tells of account alice and BTC-USD, and else does what a test says. */
export async function scripted({
  take,
  refuse,
  heartbeatMs = 5000,
}: Script): Promise<{ url: string; tokens: (string | undefined)[]; close(): void }> {
  const server = createHttp();
  const wss = new WebSocketServer({ noServer: true, handleProtocols: () => 'hft.binary.v1' });
  const tokens: (string | undefined)[] = [];
  server.on('upgrade', (request, socket, head) => {
    const connection = tokens.push(request.headers.authorization);
    const status = refuse?.(connection);
    if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    wss.handleUpgrade(request, socket, head, (ws) => {
      ws.on('message', (data) => {
        for (const frame of decodeMessage(data as Buffer)) take?.(frame, ws, connection);
      });
      ws.on('error', () => undefined);
      ws.send(
        encodeMessage([
          {
            frame: 'welcome',
            number: 0,
            sequence: 0,
            timeMicros: 0,
            heartbeatMs,
            mostMessageBytes: 65_536,
            accounts: 1,
            instruments: 1,
            subject: 's',
          },
          { frame: 'account', number: 0, account: 0, name: 'alice' },
          { frame: 'instrument', number: 0, instrument: 0, state: 'trading', symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' },
        ]),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    for (const ws of wss.clients) ws.terminate();
    server.close();
  };
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/ws`, tokens, close };
}

/** Answers a new order. */
export function placed(ws: WebSocket, number: number, more: { duplicate?: boolean } = {}): void {
  ws.send(
    encodeMessage([
      {
        frame: 'placed',
        number,
        orderId: number,
        sequence: 1,
        timeMicros: 0,
        filledLots: 0,
        remainingLots: 5,
        fills: 0,
        status: 'open',
        reason: 'none',
        ...more,
      },
    ]),
  );
}
