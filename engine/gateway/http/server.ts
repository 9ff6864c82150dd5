/** The frame of both HTTP servers: every limit set, strict JSON, and one error format (RFC 9457 with a stable code). */
import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import Fastify, { LogController, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Certificates } from '../../access/tls.ts';
import { JsonFault, parseStrictJson } from '../../config/strict-json.ts';
import { Problem, PROBLEMS, type ProblemCode } from '../../service/problem.ts';
import { ViewsError } from '../../views/types.ts';
import { problemJson } from '../problem-json.ts';
import { brokenHttpAnswer } from './broken-answer.ts';
import { boundPipelining, dueOn, endAfter, isEnding } from './pipelining.ts';
import { REQUEST_ID_HEADER, requestIdOf } from './request-id.ts';
import { HTTP_OPTIONS, SecureServer, TIMEOUTS } from './secure-server.ts';
import { zodSerializer } from './serialization.ts';
import { zodValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** When its body had been parsed (performance.now), where a route counts that; else 0. */
    parsedAtMs: number;
  }
}

export interface HttpServerOptions {
  /** Largest body in bytes. */
  bodyLimit: number;
  logLevel: string;
  /** Milliseconds after which a client is cut that asked for more than it reads; less in tests. */
  unreadMs?: number;
  /** Whether connections should end with their next answer. */
  closing?: () => boolean;
  /** The server speaks TLS, with these. */
  certificates?: Certificates | undefined;
  /** Told of every refusal, for the counters. */
  onProblem?: (request: FastifyRequest, code: ProblemCode) => void;
}

const CONNECTION_LIMIT = 10_000;
const CLOSE_DELAY_MS = 200;

/** A Fastify instance without routes. It does not listen yet. */
export function createHttpServer(options: HttpServerOptions) {
  const { certificates } = options;
  const secure = certificates === undefined ? undefined : new SecureServer(certificates);
  const app = Fastify({
    logger: { level: options.logLevel },
    // A log line a request would cost more than the request.
    logController: new LogController({ disableRequestLogging: true }),
    // Nor a logger of its own: the few lines about a request name its id themselves.
    childLoggerFactory: (logger) => logger,
    bodyLimit: options.bodyLimit,
    ...TIMEOUTS,
    maxRequestsPerSocket: 0,
    http: HTTP_OPTIONS,
    ...(secure !== undefined && { serverFactory: secure.create }),
    routerOptions: { maxParamLength: 64, ignoreTrailingSlash: false, caseSensitive: true },
    // New requests during close() get our own 503, not Fastify's.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    trustProxy: false,
    genReqId: requestIdOf,
    requestIdHeader: false,
    clientErrorHandler: answerBrokenHttp,
    frameworkErrors: (error, request, reply) => {
      void answer(request, reply, problemOf(error), options);
    },
  }).withTypeProvider<ZodTypeProvider>();
  app.decorateRequest('parsedAtMs', 0);
  if (secure !== undefined) app.addHook('preClose', secure.cutSilent);
  app.server.maxConnections = CONNECTION_LIMIT;
  boundPipelining(app.server, options.unreadMs);
  app.setValidatorCompiler(zodValidator);
  app.setSerializerCompiler(zodSerializer);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseBody(body));
    } catch (cause) {
      done(cause instanceof Error ? cause : new Error(String(cause)));
    }
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header(REQUEST_ID_HEADER, request.id);
    if (options.closing?.() === true) reply.header('connection', 'close');
    done();
  });
  app.setErrorHandler<FastifyError | Problem>((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.code === 'HFT_INTERNAL')
      request.log.error({ err: error, requestId: request.id, method: request.method, url: request.url }, 'a request failed');
    return answer(request, reply, problem, options);
  });
  handleUnknownPaths(app, options);
  return app;
}

export type HttpServer = ReturnType<typeof createHttpServer>;

function parseBody(body: string | Buffer): unknown {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  if (bytes.length === 0) throw new Problem('HFT_BAD_JSON', 'the body is empty: send a JSON object');
  if (!isUtf8(bytes)) throw new Problem('HFT_BAD_JSON', 'the body is not UTF-8');
  try {
    return parseStrictJson(bytes.toString('utf8'));
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    if (fault.kind === 'duplicate') throw new Problem('HFT_DUPLICATE_KEY', fault.message, { field: fault.field });
    if (fault.kind === 'depth') throw new Problem('HFT_BAD_JSON', `the body is ${fault.message}`);
    throw new Problem('HFT_BAD_JSON', `the body is not JSON${fault.field === undefined ? '' : ` at ${fault.field}`}`, {
      field: fault.field,
    });
  }
}

/** 404, or 405 with `allow` when the path exists for other methods. */
function handleUnknownPaths(app: FastifyInstance, options: HttpServerOptions): void {
  const routes: { pattern: RegExp; methods: Set<string> }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return;
    const source = `^${url.replace(/[.+?^$()[\]{}|\\]/g, '\\$&').replace(/:[A-Za-z]+/g, '[^/]+')}$`;
    const known = routes.find(({ pattern }) => pattern.source === new RegExp(source).source);
    const entry = known ?? { pattern: new RegExp(source), methods: new Set<string>() };
    if (known === undefined) routes.push(entry);
    for (const one of Array.isArray(method) ? method : [method]) entry.methods.add(one);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => [...route.methods]));
    if (methods.size === 0)
      return answer(
        request,
        reply,
        new Problem('HFT_NOT_FOUND', `${request.method} ${path.slice(0, 100)} does not exist: see /docs`),
        options,
      );
    const allow = [...methods].sort().join(', ');
    reply.header('allow', allow);
    return answer(request, reply, new Problem('HFT_METHOD_NOT_ALLOWED', `this path takes ${allow}`), options);
  });
}

const FASTIFY_PROBLEMS: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'HFT_BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'HFT_UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'HFT_BAD_REQUEST',
  FST_ERR_BAD_URL: 'HFT_BAD_REQUEST',
  FST_ERR_MAX_PARAM_LENGTH: 'HFT_BAD_REQUEST',
};

/** What a client is told of a failure. */
export function problemOf(error: Error & { code?: string; statusCode?: number }): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ViewsError) return new Problem(error.code, error.message, { retryAfterMs: error.retryAfterMs });
  const code = FASTIFY_PROBLEMS[error.code ?? ''];
  if (code !== undefined) return new Problem(code, detailOf(code, error.message));
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return new Problem('HFT_BAD_REQUEST', error.message);
  return new Problem('HFT_INTERNAL', 'the engine failed to answer; its log says why');
}

function detailOf(code: ProblemCode, message: string): string {
  if (code === 'HFT_UNSUPPORTED_MEDIA_TYPE') return 'send the body with content-type: application/json';
  if (code === 'HFT_BODY_TOO_LARGE') return 'the body is larger than this path takes';
  return message;
}

function answer(request: FastifyRequest, reply: FastifyReply, problem: Problem, options: HttpServerOptions): FastifyReply {
  options.onProblem?.(request, problem.code);
  // Fastify closes the connection under a body that is too large, and a client that is still sending sees a reset in place of the answer.
  // Without the header Node reads the rest and drops it, for `requestTimeout` at most.
  if (problem.code === 'HFT_BODY_TOO_LARGE') reply.removeHeader('connection');
  if (problem.retryAfterMs !== undefined) reply.header('retry-after', String(Math.max(1, Math.ceil(problem.retryAfterMs / 1000))));
  return (
    reply
      .code(problem.status)
      .header('content-type', 'application/problem+json')
      // No hook runs for what Fastify refuses before it looks for a route.
      .header(REQUEST_ID_HEADER, request.id)
      .header('x-content-type-options', 'nosniff')
      .serializer((payload: unknown) => String(payload))
      .send(problemJson(problem, request.id))
  );
}

/** What is no HTTP gets an answer too, then the connection ends. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  // One that ends is closed in its time: its client would only come again sooner.
  if (error.code !== 'ECONNRESET' && isEnding(socket)) return;
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const last = dueOn(socket);
  if (last !== undefined) {
    // Whole requests came before on this connection, and what they did is recorded: their answers are sent, and what follows them gets none.
    endAfter(socket, last);
    return;
  }
  const code: ProblemCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'HFT_HEADERS_TOO_LARGE'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'HFT_REQUEST_TIMEOUT'
        : 'HFT_BAD_REQUEST';
  socket.end(brokenHttpAnswer(new Problem(code, PROBLEMS[code].title)));
  // A client that neither reads nor closes must not keep the socket.
  setTimeout(() => socket.destroy(), CLOSE_DELAY_MS).unref();
}
