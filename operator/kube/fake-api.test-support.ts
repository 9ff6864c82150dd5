/** A scripted API server on loopback for answers that a real one cannot be made to give. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeClient } from './client.ts';
import type { LoadClientOptions } from './client.ts';
import { PooledKubeConfig } from './config.ts';

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answer = (request: FakeRequest, response: ServerResponse) => void;

export class FakeApi implements AsyncDisposable {
  readonly requests: FakeRequest[] = [];
  readonly sockets = new Set<Socket>();
  connectionsMade = 0;
  answer: Answer;
  url = '';
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  constructor(answer: Answer) {
    this.answer = answer;
    this.#server.on('connection', (socket: Socket) => {
      this.connectionsMade += 1;
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  static async start(answer: Answer): Promise<FakeApi> {
    const api = new FakeApi(answer);
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    api.url = `http://127.0.0.1:${(api.#server.address() as AddressInfo).port}`;
    return api;
  }

  client(
    options: Pick<LoadClientOptions, 'requestTimeoutMs' | 'registry'> = {},
    user: { token?: string; tokenFile?: string } = {},
  ): KubeClient {
    const config = new PooledKubeConfig();
    const authProvider = user.tokenFile === undefined ? undefined : { name: 'tokenFile', config: { tokenFile: user.tokenFile } };
    config.loadFromClusterAndUser(
      { name: 'fake', server: this.url, skipTLSVerify: true },
      { name: 'fake', ...(user.token === undefined ? {} : { token: user.token }), ...(authProvider === undefined ? {} : { authProvider }) },
    );
    return new KubeClient(config, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://fake');
    const seen: FakeRequest = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    this.requests.push(seen);
    this.answer(seen, response);
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function configMap(name: string, resourceVersion: string | number, uid = `uid-${name}`, data: Record<string, string> = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'n', uid, resourceVersion: String(resourceVersion) }, data };
}
