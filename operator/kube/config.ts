/**
 * Credentials and connections. client-node builds a new undici Agent for every request that has TLS options (4,000 GETs, 4,000 connections) and lets
 * requests wait for ever; this subclass hands out one pooled Agent and a time-out, to client-node's generated APIs as well as to `KubeClient`.
 *
 * Credentials are read again every ten seconds and after a 401, because the kubelet rotates the token file under the running process (client-node keeps
 * it for a minute); when the CA or client certificate on disk changes, new connections use the new one.
 *
 * HTTP/1.1 on purpose: a watch has its socket to itself, so one that hangs neither holds up the others nor has to be told apart from them, and giving up
 * a request closes exactly its own socket.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import type { RequestContext } from '@kubernetes/client-node';
import { Agent, ProxyAgent } from 'undici';
import type { Dispatcher } from 'undici';

const CREDENTIALS_TTL_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** undici drops idle sockets after 4 s by default; a reconcile every few seconds would then shake hands each time. */
const KEEP_ALIVE_MS = 30_000;
/** Enough to be parallel, few enough not to be a burst of handshakes. */
const MAX_CONNECTIONS = 16;

interface TlsMaterial {
  readonly ca?: Buffer | string;
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  readonly passphrase?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where the API server is and how to speak to it, at this moment. */
export interface Endpoint {
  readonly origin: string;
  /** '' or a prefix such as `/k8s/clusters/c1`. */
  readonly basePath: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
  readonly proxyUrl: string | undefined;
  /** Changes when connections made before are no longer the right ones. */
  readonly fingerprint: string;
}

function asTlsValue(value: RequestOptions['ca']): Buffer | string | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined;
}

function asKeyValue(value: RequestOptions['key']): Buffer | string | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined;
}

/** A set of connections that can be thrown away and made anew. `maxConnections` bounds it; null does not. */
export class Channel {
  readonly #config: PooledKubeConfig;
  readonly #maxConnections: number | null;
  #dispatcher: Dispatcher | undefined;
  #fingerprint: string | undefined;
  #closed = false;

  constructor(config: PooledKubeConfig, maxConnections: number | null) {
    this.#config = config;
    this.#maxConnections = maxConnections;
  }

  /** The dispatcher for the present credentials. Throws when they cannot be read. */
  async open(): Promise<{ endpoint: Endpoint; dispatcher: Dispatcher }> {
    const endpoint = await this.#config.endpoint();
    if (this.#closed) throw new Error('the client is closed');
    if (this.#dispatcher === undefined || this.#fingerprint !== endpoint.fingerprint) {
      // What is in flight on the old connections may finish.
      this.#dispatcher?.close().catch(() => undefined);
      this.#dispatcher = this.#make(endpoint);
      this.#fingerprint = endpoint.fingerprint;
    }
    return { endpoint, dispatcher: this.#dispatcher };
  }

  /** Closes every connection at once; requests in flight fail, the next request connects anew. */
  reset(reason: string): void {
    const old = this.#dispatcher;
    this.#dispatcher = undefined;
    old?.destroy(new Error(reason)).catch(() => undefined);
  }

  /** New requests connect anew; those in flight run to their own deadlines. */
  renew(): void {
    const old = this.#dispatcher;
    this.#dispatcher = undefined;
    old?.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const old = this.#dispatcher;
    this.#dispatcher = undefined;
    await old?.destroy(new Error('the client was closed')).catch(() => undefined);
  }

  #make(endpoint: Endpoint): Dispatcher {
    const common = {
      connections: this.#maxConnections,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Callers bring their own deadlines, which are exact; undici's are not.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { ...endpoint.tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 15_000 },
    };
    if (endpoint.proxyUrl === undefined) return new Agent(common);
    if (!/^https?:/.test(endpoint.proxyUrl)) throw new Error(`proxy-url ${endpoint.proxyUrl}: only http and https proxies are supported`);
    return new ProxyAgent({ ...common, uri: endpoint.proxyUrl, requestTls: endpoint.tls });
  }
}

export class PooledKubeConfig extends KubeConfig {
  requestTimeoutMs = 10_000;
  readonly #shared = new Channel(this, MAX_CONNECTIONS);
  #endpoint: Endpoint | undefined;
  #readAtMs = 0;
  #reading: Promise<Endpoint> | undefined;

  /** The pool for ordinary requests. */
  get shared(): Channel {
    return this.#shared;
  }

  /** The present endpoint and credentials, read again when older than ten seconds. */
  async endpoint(): Promise<Endpoint> {
    if (this.#endpoint && performance.now() - this.#readAtMs < CREDENTIALS_TTL_MS) return this.#endpoint;
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** Forgets the credentials, for instance after a 401. */
  invalidateCredentials(): void {
    this.#endpoint = undefined;
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    const { endpoint, dispatcher } = await this.#shared.open();
    for (const [name, value] of Object.entries(endpoint.headers)) context.setHeaderParam(name, value);
    context.setDispatcher(dispatcher);
    context.setSignal(AbortSignal.timeout(this.requestTimeoutMs));
  }

  async #read(): Promise<Endpoint> {
    const cluster = this.getCurrentCluster();
    if (!cluster) throw new Error(`the kubeconfig's current context "${this.getCurrentContext()}" names no cluster`);
    const url = new URL(cluster.server);
    const headers: Record<string, string> = {};
    let tls: TlsMaterial = {};
    if (url.protocol === 'https:') {
      const options: RequestOptions & { headers: Record<string, string>; servername?: string } = { headers };
      await this.applyToHTTPSOptions(options);
      if (options.auth) headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
      tls = this.#tlsOf(options);
    }
    const tokenFile: unknown = this.getCurrentUser()?.authProvider?.config?.tokenFile;
    if (typeof tokenFile === 'string') headers['Authorization'] = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
    else if (url.protocol !== 'https:' && this.getCurrentUser()?.token) headers['Authorization'] = `Bearer ${this.getCurrentUser()?.token}`;
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([cluster.server, cluster.proxyUrl, ...Object.entries(tls).map(([k, v]) => [k, String(v)])]))
      .digest('hex');
    const endpoint: Endpoint = {
      origin: url.origin,
      basePath: url.pathname.replace(/\/$/, ''),
      headers,
      tls,
      proxyUrl: cluster.proxyUrl,
      fingerprint,
    };
    this.#endpoint = endpoint;
    this.#readAtMs = performance.now();
    return endpoint;
  }

  #tlsOf(options: RequestOptions & { servername?: string }): TlsMaterial {
    const ca = asTlsValue(options.ca);
    const cert = asTlsValue(options.cert);
    const key = asKeyValue(options.key);
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
      ...(options.servername === undefined ? {} : { servername: options.servername }),
      ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
    };
  }
}
