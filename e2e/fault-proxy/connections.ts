/**
 * The TCP side of the fault proxy: carries bytes between a client and the inner HTTP server, and can stop carrying them without closing anything (a hang), or reset.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export class Connection {
  readonly #client: Socket;
  readonly #inner: Socket;
  #hung = false;

  constructor(client: Socket, inner: Socket) {
    this.#client = client;
    this.#inner = inner;
    for (const [socket, other] of [
      [client, inner],
      [inner, client],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
      socket.pipe(other);
    }
  }

  /** The port by which the inner server knows this connection. */
  get innerPort(): number | undefined {
    return this.#inner.localPort;
  }

  get hung(): boolean {
    return this.#hung;
  }

  /** Bytes are accepted, as far as buffers go, and not passed on. */
  hang(): void {
    this.#hung = true;
    this.#client.unpipe(this.#inner);
    this.#inner.unpipe(this.#client);
    this.#client.pause();
    this.#inner.pause();
  }

  resume(): void {
    if (!this.#hung) return;
    this.#hung = false;
    this.#client.pipe(this.#inner);
    this.#inner.pipe(this.#client);
  }

  /** RST to the client. */
  reset(): void {
    this.#client.resetAndDestroy();
    this.#inner.destroy();
  }
}

/** Listens for clients on a loopback port and connects each to the inner server. */
export class Front {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #onConnection: (connection: Connection) => void;

  constructor(innerPort: number, onConnection: (connection: Connection) => void) {
    this.#onConnection = onConnection;
    this.#server = createServer({ pauseOnConnect: true }, (client) => {
      client.on('error', () => undefined);
      const inner = connect({ port: innerPort, host: '127.0.0.1' });
      inner.on('error', () => client.destroy());
      inner.once('connect', () => {
        if (client.destroyed) return void inner.destroy();
        const connection = new Connection(client, inner);
        this.#connections.add(connection);
        client.once('close', () => this.#connections.delete(connection));
        this.#onConnection(connection);
      });
    });
  }

  get connections(): readonly Connection[] {
    return [...this.#connections];
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.reset();
    await closed;
  }
}
