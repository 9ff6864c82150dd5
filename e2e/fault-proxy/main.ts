/**
 * A proxy in front of a real API server that misbehaves on command and counts what passes. Clients use its kubeconfig (plain HTTP on loopback, so that nothing but the fault
 * differs); towards the API server it has the credentials of the kubeconfig it was given, so RBAC sees that user.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadClient } from '../../operator/kube/client.ts';
import { Front } from './connections.ts';
import type { Connection } from './connections.ts';

export type FaultKind =
  /** Every connection is reset, old and new. */
  | 'reset'
  /** Watches get an ERROR event with code 410. */
  | 'gone-event'
  /** Watch requests are answered 410. */
  | 'gone-status'
  /** Every request is answered 429 with Retry-After. */
  | 'too-many-requests'
  /** Every request is answered 500. */
  | 'server-error'
  /** Connections open at the start of the fault carry nothing; new ones work. */
  | 'hang-existing'
  /** Connections opened during the fault carry nothing; old ones work. */
  | 'hang-new'
  /** No connection carries anything. */
  | 'hang'
  /** The next line of every watch is cut in half and the answer ends there. */
  | 'truncated';

export interface Fault {
  readonly kind: FaultKind;
  /** Which requests it concerns; all when absent. For the hangs: connections that carry such a request at the start. */
  readonly match?: (request: RequestRecord) => boolean;
  /** Default 1. */
  readonly retryAfterSeconds?: number;
  /** Hung connections stay hung when the fault ends (a path that lost its state), instead of carrying on. */
  readonly staysHung?: boolean;
}

export interface RequestRecord {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly watch: boolean;
  /** `Date.now()` ms. */
  readonly at: number;
  /** What the client was answered; undefined while it waits, or when it was cut off. */
  status: number | undefined;
}

export interface FaultProxy {
  /** For clients that are to go through the proxy. */
  readonly kubeconfigPath: string;
  readonly url: string;
  /** Starts a fault, ends it with undefined. Watches open at the start are subjected to it, or ended so that their next request is. */
  setFault(fault: FaultKind | Fault | undefined): void;
  /** Everything asked since the start or the last `clearRequests`, oldest first. */
  requests(): readonly RequestRecord[];
  /** POST, PUT, PATCH and DELETE among them. */
  writes(): readonly RequestRecord[];
  /** `PATCH /apis/apps/v1/…` -> how often. */
  counts(): Map<string, number>;
  clearRequests(): void;
  /** Client connections open now. */
  connections(): number;
  stop(): Promise<void>;
}

const MAX_RECORDS = 200_000;

interface OpenWatch {
  readonly record: RequestRecord;
  readonly response: ServerResponse;
  end(): void;
}

function statusBody(code: number, reason: string, message: string, retryAfterSeconds?: number): string {
  const details = retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } };
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code, ...details });
}

const GONE_EVENT = `{"type":"ERROR","object":${statusBody(410, 'Expired', 'The resourceVersion for the provided watch is too old.')}}\n`;

class Proxy implements FaultProxy {
  kubeconfigPath = '';
  url = '';
  readonly #upstream: { url: URL; headers: Readonly<Record<string, string>>; agent: Agent };
  readonly #server = createServer((request, response) => this.#handle(request, response));
  readonly #watches = new Set<OpenWatch>();
  readonly #active = new Map<RequestRecord, number | undefined>();
  #records: RequestRecord[] = [];
  #fault: Fault | undefined;
  #front: Front | undefined;
  #directory: string | undefined;

  constructor(upstream: { url: URL; headers: Readonly<Record<string, string>>; agent: Agent }) {
    this.#upstream = upstream;
  }

  async start(): Promise<void> {
    this.#server.keepAliveTimeout = 600_000;
    this.#server.requestTimeout = 0;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#front = new Front((this.#server.address() as AddressInfo).port, (connection) => this.#onConnection(connection));
    this.url = `http://127.0.0.1:${await this.#front.listen()}`;
    this.#directory = await mkdtemp(join(tmpdir(), 'fault-proxy-'));
    this.kubeconfigPath = join(this.#directory, 'kubeconfig');
    const name = 'fault-proxy';
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      // client-node refuses plain HTTP without this.
      clusters: [{ name, cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name, user: {} }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
    };
    await writeFile(this.kubeconfigPath, stringify(kubeconfig), { mode: 0o600 });
  }

  setFault(fault: FaultKind | Fault | undefined): void {
    const before = this.#fault;
    this.#fault = typeof fault === 'string' ? { kind: fault } : fault;
    if (before && !before.staysHung) for (const connection of this.#front?.connections ?? []) connection.resume();
    if (this.#fault) this.#begin(this.#fault);
  }

  requests(): readonly RequestRecord[] {
    return [...this.#records];
  }

  writes(): readonly RequestRecord[] {
    return this.#records.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
  }

  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { method, path } of this.#records) counts.set(`${method} ${path}`, (counts.get(`${method} ${path}`) ?? 0) + 1);
    return counts;
  }

  clearRequests(): void {
    this.#records = [];
  }

  connections(): number {
    return this.#front?.connections.length ?? 0;
  }

  async stop(): Promise<void> {
    this.#fault = undefined;
    await this.#front?.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    this.#upstream.agent.destroy();
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }

  /** What is open when the fault starts. */
  #begin(fault: Fault): void {
    const connections = this.#front?.connections ?? [];
    const concerned = fault.match ? this.#portsOf(fault.match) : undefined;
    const chosen = connections.filter((connection) => !concerned || concerned.has(connection.innerPort));
    switch (fault.kind) {
      case 'reset':
        for (const connection of chosen) connection.reset();
        break;
      case 'hang':
      case 'hang-existing':
        for (const connection of chosen) connection.hang();
        break;
      case 'gone-event':
        for (const watch of this.#concerned(fault)) {
          watch.response.write(GONE_EVENT);
          watch.end();
        }
        break;
      case 'gone-status':
      case 'too-many-requests':
      case 'server-error':
        for (const watch of this.#concerned(fault)) watch.end();
        break;
      case 'hang-new':
      case 'truncated':
        break;
    }
  }

  #onConnection(connection: Connection): void {
    if (this.#fault?.match) return;
    if (this.#fault?.kind === 'reset') connection.reset();
    else if (this.#fault?.kind === 'hang' || this.#fault?.kind === 'hang-new') connection.hang();
  }

  #concerned(fault: Fault): OpenWatch[] {
    return [...this.#watches].filter(({ record }) => fault.match?.(record) ?? true);
  }

  #portsOf(match: (request: RequestRecord) => boolean): Set<number | undefined> {
    return new Set([...this.#active].filter(([record]) => match(record)).map(([, port]) => port));
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://proxy');
    const query = Object.fromEntries(url.searchParams);
    const record: RequestRecord = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query,
      watch: query['watch'] === 'true' || query['watch'] === '1',
      at: Date.now(),
      status: undefined,
    };
    if (this.#records.length < MAX_RECORDS) this.#records.push(record);
    this.#active.set(record, request.socket.remotePort);
    response.once('close', () => this.#active.delete(record));
    const fault = this.#fault;
    if (fault && (fault.match?.(record) ?? true) && this.#answerWithFault(fault, record, request, response)) return;
    this.#forward(record, request, response);
  }

  /** True when the fault has answered. */
  #answerWithFault(fault: Fault, record: RequestRecord, request: IncomingMessage, response: ServerResponse): boolean {
    const json = { 'content-type': 'application/json' };
    switch (fault.kind) {
      case 'reset':
        this.#front?.connections.find(({ innerPort }) => innerPort === request.socket.remotePort)?.reset();
        return true;
      case 'gone-event':
        if (!record.watch) return false;
        record.status = 200;
        response.writeHead(200, json).end(GONE_EVENT);
        return true;
      case 'gone-status':
        if (!record.watch) return false;
        record.status = 410;
        response.writeHead(410, json).end(statusBody(410, 'Expired', 'The resourceVersion for the provided watch is too old.'));
        return true;
      case 'too-many-requests': {
        const seconds = fault.retryAfterSeconds ?? 1;
        record.status = 429;
        request.resume();
        response
          .writeHead(429, { ...json, 'retry-after': String(seconds) })
          .end(statusBody(429, 'TooManyRequests', 'Too many requests, please try again later.', seconds));
        return true;
      }
      case 'server-error':
        record.status = 500;
        request.resume();
        response.writeHead(500, json).end(statusBody(500, 'InternalError', 'an injected internal error'));
        return true;
      case 'hang':
      case 'hang-existing':
      case 'hang-new':
      case 'truncated':
        return false;
    }
  }

  #forward(record: RequestRecord, request: IncomingMessage, response: ServerResponse): void {
    const { host: _host, authorization: _authorization, connection: _connection, ...headers } = request.headers;
    const { url, agent, headers: credentials } = this.#upstream;
    const upstream = httpsRequest(new URL(request.url ?? '/', url), {
      method: record.method,
      headers: { ...headers, ...credentials },
      agent,
    });
    const fail = (): void => void response.destroy();
    upstream.on('error', fail);
    response.once('close', () => upstream.destroy());
    upstream.once('response', (answer) => {
      answer.on('error', fail);
      record.status = answer.statusCode ?? 502;
      const { connection: _upstreamConnection, 'transfer-encoding': _encoding, ...passed } = answer.headers;
      response.writeHead(record.status, passed);
      response.flushHeaders();
      if (record.watch) this.#passWatch(record, answer, response);
      else answer.pipe(response);
    });
    request.pipe(upstream);
  }

  #passWatch(record: RequestRecord, answer: IncomingMessage, response: ServerResponse): void {
    const watch: OpenWatch = {
      record,
      response,
      end: () => {
        this.#watches.delete(watch);
        answer.destroy();
        response.end();
      },
    };
    this.#watches.add(watch);
    response.once('close', () => this.#watches.delete(watch));
    answer.on('data', (chunk: Buffer) => {
      const fault = this.#fault;
      if (fault?.kind !== 'truncated' || !(fault.match?.(record) ?? true)) {
        response.write(chunk);
        return;
      }
      const lineEnd = chunk.indexOf(10);
      response.write(chunk.subarray(0, Math.ceil((lineEnd < 0 ? chunk.length : lineEnd) / 2)));
      watch.end();
    });
    answer.once('end', () => response.end());
  }
}

/** Starts a proxy in front of the API server of that kubeconfig's current context. */
export async function startFaultProxy(options: { kubeconfigPath: string }): Promise<FaultProxy> {
  const client = loadClient({ kubeconfigPath: options.kubeconfigPath });
  const endpoint = await client.config.endpoint();
  await client.close();
  const proxy = new Proxy({
    url: new URL(endpoint.origin),
    headers: endpoint.headers,
    agent: new Agent({ ...endpoint.tls, keepAlive: true }),
  });
  await proxy.start();
  return proxy;
}
