/** Clients that behave badly, in a process of their own: `node engine/prove/bad-clients.ts '{"count": 500, …}'`. Prints how many connections of each kind were ended. */
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';

export interface BadClientsOptions {
  readonly count: number;
  readonly seconds: number;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly token: string;
  /** Only these kinds; none is all. */
  readonly kinds?: readonly string[];
}

const HOST = '127.0.0.1';
/** Another address than that of the good clients. */
const FROM = '127.0.0.2';
const BYTE_MS = 200;
const AGAIN_MS = 250;
const STREAMS = 20;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** A masked ping of 125 bytes: what is sent back is as long. */
const PINGS = Buffer.concat(Array.from({ length: 200 }, () => Buffer.concat([Buffer.from([0x89, 0xfd, 0, 0, 0, 0]), Buffer.alloc(125)])));

type BadClient = (options: BadClientsOptions, ended: () => void) => void;

const open = (port: number, ended: () => void): Socket => {
  const socket = connect({ host: HOST, port, localAddress: FROM });
  socket.on('error', () => undefined);
  socket.once('close', ended);
  return socket;
};

/** One that reads sees the end of its connection. */
const byByte = (socket: Socket, text: string): void => {
  socket.resume();
  let at = 0;
  const timer = setInterval(() => {
    if (at < text.length) socket.write(text.slice(at, (at += 1)));
  }, BYTE_MS);
  socket.once('close', () => clearInterval(timer));
};

/** Writes as long as the connection takes more, and reads nothing. */
const flood = (socket: Socket, bytes: Buffer): void => {
  const more = (): void => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('drain', more);
  more();
};

const upgrade = (token: string): string =>
  `GET /v1/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: hft.binary.v1\r\nauthorization: Bearer ${token}\r\n\r\n`;

const KINDS: Readonly<Record<string, BadClient>> = {
  httpHalfOpen: ({ httpPort }, ended) => void open(httpPort, ended).resume(),
  httpByteHeaders: ({ httpPort }, ended) => byByte(open(httpPort, ended), `GET /v1/instruments HTTP/1.1\r\nx: ${'x'.repeat(10_000)}`),
  httpByteBody: ({ httpPort, token }, ended) => {
    const socket = open(httpPort, ended);
    socket.write(
      `POST /v1/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 10000\r\n\r\n`,
    );
    byByte(socket, ' '.repeat(10_000));
  },
  httpNeverReads: ({ httpPort }, ended) => {
    const socket = open(httpPort, ended).pause();
    flood(socket, Buffer.from('GET /docs/json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(50)));
  },
  webSocketByteHandshake: ({ httpPort, token }, ended) => byByte(open(httpPort, ended), upgrade(token)),
  webSocketSilent: ({ httpPort, token }, ended) => void open(httpPort, ended).resume().write(upgrade(token)),
  webSocketNeverReads: ({ httpPort, token }, ended) => {
    const socket = open(httpPort, ended);
    socket.write(upgrade(token));
    socket.once('data', () => {
      socket.pause();
      flood(socket, PINGS);
    });
  },
  grpcHalfOpen: ({ grpcPort }, ended) => void open(grpcPort, ended).resume(),
  grpcByBytes: ({ grpcPort }, ended) => byByte(open(grpcPort, ended), PREFACE),
  grpcHalfStreams: ({ grpcPort }, ended) => {
    const session = connectHttp2(`http://${HOST}:${grpcPort}`, { createConnection: () => open(grpcPort, ended) });
    session.on('error', () => undefined);
    for (let n = 0; n < STREAMS; n += 1)
      session
        .request({
          ':method': 'POST',
          ':path': '/hftengine.v1.MarketService/Instruments',
          'content-type': 'application/grpc',
          te: 'trailers',
        })
        .on('error', () => undefined);
  },
};

function run(options: BadClientsOptions): void {
  const kinds = Object.entries(KINDS).filter(([name]) => options.kinds?.includes(name) ?? true);
  const endings = new Map<string, number>(kinds.map(([name]) => [name, 0]));
  for (let n = 0; n < options.count; n += 1) {
    const [name, client] = kinds[n % kinds.length] ?? [];
    if (name === undefined || client === undefined) continue;
    const begin = (): void =>
      client(options, () => {
        endings.set(name, (endings.get(name) ?? 0) + 1);
        setTimeout(begin, AGAIN_MS);
      });
    begin();
  }
  setTimeout(() => {
    process.stdout.write(`${JSON.stringify(Object.fromEntries(endings))}\n`, () => process.exit(0));
  }, options.seconds * 1000);
}

const [given] = process.argv.slice(2);
if (given !== undefined && import.meta.main) run(JSON.parse(given) as BadClientsOptions);
