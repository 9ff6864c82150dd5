/**
 * A typed client for any resource of the API, by group, version and plural. Every call times out, carries an AbortSignal, and fails with a `KubeError`
 * that holds the server's own message.
 */
import { existsSync } from 'node:fs';
import type { Registry } from 'prom-client';
import type { Dispatcher } from 'undici';
import { callOf, CONTENT_TYPE, networkError, parseOrText, queryString } from './call.ts';
import type { CallOptions, DeleteOptions, ListOptions, PatchOptions, RawRequest } from './call.ts';
import { Channel, PooledKubeConfig } from './config.ts';
import { Deadline } from './deadline.ts';
import { errorFromStatus, isKubeError, KubeError, parseRetryAfterMs } from './errors.ts';
import { counter, histogram } from './metrics.ts';
import { apiVersionOf, pathOf } from './resource.ts';
import type { KubeObject, Live, ObjectRef, Resource } from './resource.ts';

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const LIST_PAGE_SIZE = 500;

interface ListPage<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: T[];
}

export interface LoadClientOptions {
  /** Absent: `$KUBECONFIG`, then the pod's service account, then `~/.kube/config`. */
  readonly kubeconfigPath?: string;
  /** Use the pod's service account and nothing else. */
  readonly inCluster?: boolean;
  readonly userAgent?: string;
  /** Default 10 s. */
  readonly requestTimeoutMs?: number;
  readonly registry?: Registry;
}

/** Reads the configuration and makes a client; connects to nothing yet. Throws when there is no usable configuration. */
export function loadClient(options: LoadClientOptions = {}): KubeClient {
  const config = new PooledKubeConfig();
  if (options.kubeconfigPath !== undefined) config.loadFromFile(options.kubeconfigPath);
  else if (options.inCluster) config.loadFromCluster();
  else if (!process.env['KUBECONFIG'] && process.env['KUBERNETES_SERVICE_HOST'] && existsSync(TOKEN_PATH)) config.loadFromCluster();
  else config.loadFromDefault();
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('no cluster in the kubeconfig: set its current-context');
  // What client-node falls back to when it found nothing at all.
  if (cluster.server === 'http://localhost:8080') throw new Error('no cluster: set KUBECONFIG, or name a kubeconfig file');
  return new KubeClient(config, options);
}

export class KubeClient {
  readonly config: PooledKubeConfig;
  /** The namespace of the context, or of the pod. */
  readonly namespace: string;
  readonly #userAgent: string;
  readonly #channels = new Set<Channel>();
  readonly #requests;
  readonly #duration;

  constructor(config: PooledKubeConfig, options: Pick<LoadClientOptions, 'userAgent' | 'requestTimeoutMs' | 'registry'> = {}) {
    this.config = config;
    if (options.requestTimeoutMs !== undefined) config.requestTimeoutMs = options.requestTimeoutMs;
    this.namespace = config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default';
    this.#userAgent = options.userAgent ?? 'kube-runtime';
    this.#requests = counter(options.registry, 'rest_client_requests_total', 'Number of HTTP requests, by status code, method and host', [
      'code',
      'method',
      'host',
    ]);
    this.#duration = histogram(
      options.registry,
      'rest_client_request_duration_seconds',
      'Time to the head of the answer, by method and host',
      ['verb', 'host'],
    );
  }

  /** The object. Throws `notFound`. */
  async get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: CallOptions = {}): Promise<Live<T>> {
    return (await this.request({ ...options, method: 'GET', path: pathOf(resource, ref.namespace, ref.name) })) as Live<T>;
  }

  /** The object, or undefined when there is none. */
  async find<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: CallOptions = {}): Promise<Live<T> | undefined> {
    try {
      return await this.get(resource, ref, options);
    } catch (error) {
      if (isKubeError(error, 'notFound')) return undefined;
      throw error;
    }
  }

  /**
   * All objects of a collection, page by page, at one resource version. Time-outs are per page. Items get the `apiVersion` and `kind` that the server
   * leaves out of lists.
   */
  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions = {},
  ): Promise<{ items: Live<T>[]; resourceVersion: string }> {
    const { namespace, labelSelector, fieldSelector, ...call } = options;
    const path = pathOf(resource, namespace);
    const items: Live<T>[] = [];
    let limit: number | undefined = LIST_PAGE_SIZE;
    let token: string | undefined;
    for (;;) {
      let page: ListPage<Live<T>>;
      try {
        page = (await this.request({
          ...call,
          method: 'GET',
          path,
          query: { limit, labelSelector, fieldSelector, continue: token },
        })) as ListPage<Live<T>>;
      } catch (error) {
        // The snapshot that the token names was compacted away between pages: take it in one piece.
        if (token === undefined || !isKubeError(error, 'gone')) throw error;
        items.length = 0;
        token = limit = undefined;
        continue;
      }
      const resourceVersion = page.metadata?.resourceVersion;
      if (resourceVersion === undefined || !Array.isArray(page.items)) {
        throw new KubeError('the answer is not a list', { code: 'badResponse', method: 'GET', path });
      }
      for (const item of page.items) items.push({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind });
      token = page.metadata?.continue || undefined;
      if (token === undefined) return { items, resourceVersion };
    }
  }

  /** Throws `alreadyExists`, `invalid`. */
  async create<T extends KubeObject>(resource: Resource<T>, object: T, options: CallOptions = {}): Promise<Live<T>> {
    return (await this.request({
      ...options,
      method: 'POST',
      path: pathOf(resource, object.metadata.namespace),
      body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
    })) as Live<T>;
  }

  /** PUT with the object's resourceVersion. Throws `conflict` when it is no longer the newest. */
  async replace<T extends KubeObject>(resource: Resource<T>, object: Live<T>, options: CallOptions = {}): Promise<Live<T>> {
    return (await this.request({
      ...options,
      method: 'PUT',
      path: pathOf(resource, object.metadata.namespace, object.metadata.name),
      body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
    })) as Live<T>;
  }

  async patch<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, body: object, options: PatchOptions): Promise<Live<T>> {
    const { type, fieldManager, force, subresource, dryRun, ...call } = options;
    return (await this.request({
      ...call,
      method: 'PATCH',
      path: pathOf(resource, ref.namespace, ref.name, subresource),
      query: { fieldManager, force, dryRun: dryRun ? 'All' : undefined },
      contentType: CONTENT_TYPE[type],
      body,
    })) as Live<T>;
  }

  /** `absent` when it was already gone. Throws `conflict` when a precondition (uid, resourceVersion) does not hold. */
  async delete(resource: Resource<KubeObject>, ref: ObjectRef, options: DeleteOptions = {}): Promise<'deleted' | 'absent'> {
    const { uid, resourceVersion, propagationPolicy, gracePeriodSeconds, ...call } = options;
    try {
      await this.request({
        ...call,
        method: 'DELETE',
        path: pathOf(resource, ref.namespace, ref.name),
        body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, gracePeriodSeconds, preconditions: { uid, resourceVersion } },
      });
      return 'deleted';
    } catch (error) {
      if (isKubeError(error, 'notFound')) return 'absent';
      throw error;
    }
  }

  /** One call, JSON in and out; for what the methods above do not cover. */
  async request(request: RawRequest): Promise<unknown> {
    const deadline = new Deadline(request.signal);
    try {
      deadline.arm(request.timeoutMs ?? this.config.requestTimeoutMs, 'answer');
      const response = await this.send(request, deadline);
      const text = await this.#read(request, deadline, () => response.body.text());
      try {
        return JSON.parse(text);
      } catch (error) {
        throw new KubeError(`the answer is not JSON (${text.length} characters)`, {
          ...callOf(request),
          code: 'badResponse',
          cause: error,
        });
      }
    } catch (error) {
      // Perhaps the connection is dead: the next request should not find that out in turn.
      if (isKubeError(error, 'timeout') && request.channel === undefined) this.config.shared.renew();
      throw error;
    } finally {
      deadline.release();
    }
  }

  /**
   * Sends a request and returns the head of a successful answer, its body unread; the caller owns the deadline. Refreshes credentials and tries again once
   * after a 401. Throws KubeError.
   */
  async send(request: RawRequest, deadline: Deadline): Promise<Dispatcher.ResponseData> {
    for (let attempt = 0; ; attempt++) {
      const response = await this.#sendOnce(request, deadline);
      if (response.statusCode >= 200 && response.statusCode < 300) return response;
      const text = await this.#read(request, deadline, () => response.body.text());
      if (response.statusCode === 401) {
        this.config.invalidateCredentials();
        if (attempt === 0) continue;
      }
      const retryAfter = response.headers['retry-after'];
      throw errorFromStatus(
        callOf(request),
        response.statusCode,
        parseOrText(text),
        parseRetryAfterMs(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, new Date()),
      );
    }
  }

  /** Connections of one's own, for a caller that must not share their fate; closed with the client at the latest. */
  openChannel(): Channel {
    const channel = new Channel(this.config, null);
    this.#channels.add(channel);
    return channel;
  }

  async closeChannel(channel: Channel): Promise<void> {
    this.#channels.delete(channel);
    await channel.close();
  }

  /** Drops the pooled connections: what is in flight fails and may be tried again, the next request connects anew. For when one was seen to hang. */
  refreshConnections(): void {
    this.config.shared.reset('connections were renewed because one was found hanging');
  }

  async close(): Promise<void> {
    await Promise.all([this.config.shared.close(), ...[...this.#channels].map((channel) => channel.close())]);
  }

  async #sendOnce(request: RawRequest, deadline: Deadline): Promise<Dispatcher.ResponseData> {
    const startedMs = performance.now();
    let host = '';
    let code = '<error>';
    try {
      return await this.#read(request, deadline, async () => {
        const { endpoint, dispatcher } = await (request.channel ?? this.config.shared).open();
        host = new URL(endpoint.origin).host;
        const response = await dispatcher.request({
          origin: endpoint.origin,
          path: `${endpoint.basePath}${request.path}${queryString(request.query)}`,
          method: request.method,
          headers: {
            ...endpoint.headers,
            accept: 'application/json',
            'user-agent': this.#userAgent,
            ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
          },
          body: request.body === undefined ? null : JSON.stringify(request.body),
          signal: deadline.signal,
        });
        code = String(response.statusCode);
        return response;
      });
    } finally {
      this.#requests.inc({ code, method: request.method, host });
      this.#duration.observe({ verb: request.method, host }, (performance.now() - startedMs) / 1000);
    }
  }

  /** Runs one step of a call and types what it throws. */
  async #read<R>(request: RawRequest, deadline: Deadline, step: () => Promise<R>): Promise<R> {
    try {
      return await step();
    } catch (error) {
      throw networkError(callOf(request), deadline, request.signal, error);
    }
  }
}
