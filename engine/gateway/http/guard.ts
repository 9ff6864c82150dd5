/** Access on HTTP: every route names its action, every request its principal. A route without an action does not get registered. */
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import type { Access } from '../../access/access.ts';
import { authorize, authorizeRole } from '../../access/authorize.ts';
import type { Principal } from '../../access/principal.ts';
import type { Action } from '../../access/roles.ts';
import { accountOfOrder, type Market } from '../../service/market.ts';
import { Problem } from '../../service/problem.ts';
import type { HttpServer } from './server.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a request asks for, of the table in access/roles.ts; `open` for what anybody may have. */
    action?: Action | 'open';
  }
  interface FastifyRequest {
    /** null on open routes. */
    principal: Principal | null;
    /** What it asks for; null on open routes. */
    action: Action | null;
  }
}

const BEARER = /^Bearer +(\S+)$/i;

export interface GuardOptions {
  /** Whether the admin token is taken beside tokens of users. */
  readonly operator: boolean;
  /** Paths below which everything is open: registered by a package, which names no actions. */
  readonly openPaths?: readonly string[];
}

/** Must be called before any route is registered. */
export function guard(app: HttpServer, access: Access, { operator, openPaths = [] }: GuardOptions): void {
  const { gatekeeper } = access;
  app.decorateRequest('principal', null);
  app.decorateRequest('action', null);

  app.addHook('onRoute', (route) => {
    const open = route.url === '*' || openPaths.some((path) => route.url.startsWith(path));
    if (open) route.config = { ...route.config, action: 'open' };
    const action = route.config?.action;
    if (action === undefined) throw new Error(`${String(route.method)} ${route.url} names no action: see engine/access/roles.ts`);
    if (action === 'open') return;
    // Before whatever else the route does. What has no route has no action, and needs no token.
    const hooks = route.onRequest ?? [];
    route.onRequest = [hookOf(action), ...(Array.isArray(hooks) ? hooks : [hooks])];
  });

  function hookOf(action: Action): onRequestHookHandler {
    return (request, reply, done) => {
      request.action = action;
      const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
      const known = token === undefined ? undefined : (gatekeeper.known(token) ?? (operator ? access.operator(token) : undefined));
      if (known === undefined) void enter(request, reply, token, action, done);
      else done(fault(() => admit(request, reply, known, action)));
    };
  }

  async function enter(...[request, reply, token, action, done]: [...Parameters<typeof prove>, (refusal?: Error) => void]): Promise<void> {
    done(await prove(request, reply, token, action));
  }

  /** Why the request is refused; undefined when it is not. */
  async function prove(
    request: FastifyRequest,
    reply: FastifyReply,
    token: string | undefined,
    action: Action,
  ): Promise<Error | undefined> {
    try {
      admit(request, reply, await access.authenticate(token, request.socket.remoteAddress), action);
      return undefined;
    } catch (cause) {
      if (cause instanceof Problem && cause.status === 401)
        reply.header(
          'www-authenticate',
          token === undefined ? 'Bearer realm="hft-engine"' : 'Bearer realm="hft-engine", error="invalid_token"',
        );
      return errorOf(cause);
    }
  }

  function admit(request: FastifyRequest, reply: FastifyReply, principal: Principal, action: Action): void {
    request.principal = principal;
    const { requestLimits } = access;
    const waitMs = access.takeRequest(principal, performance.now());
    const left = access.requestsLeft(principal);
    // Names and meaning as in the IETF's draft; the time is the one until all of them may be sent again.
    reply.header('ratelimit-limit', String(requestLimits.burst));
    reply.header('ratelimit-remaining', String(left));
    reply.header('ratelimit-reset', String(Math.ceil((requestLimits.burst - left) / requestLimits.perSecond)));
    if (waitMs > 0) {
      throw new Problem(
        'HFT_USER_RATE_LIMIT',
        `${requestLimits.perSecond} requests a second may be sent with this token: wait ${Math.ceil(waitMs)} ms`,
        {
          retryAfterMs: waitMs,
        },
      );
    }
    authorizeRole(principal, action);
  }
}

function fault(work: () => void): Error | undefined {
  try {
    work();
    return undefined;
  } catch (cause) {
    return errorOf(cause);
  }
}

function errorOf(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

/** Whose request it is, on a route that is not open. */
export function principalOf({ principal }: FastifyRequest): Principal {
  if (principal === null) throw new Error('a request without a principal came through the guard');
  return principal;
}

/** Throws Problem HFT_FORBIDDEN unless the request may do what its route does to `account`; undefined for all accounts. */
export function authorizeAccount(request: FastifyRequest, account: string | undefined): void {
  const { action } = request;
  if (action === null) return;
  authorize(principalOf(request), action, account);
}

/** As {@link authorizeAccount}, for the account of an order. Throws Problem HFT_ORDER_NOT_FOUND when nobody has it (yet). */
export async function authorizeOrder(request: FastifyRequest, market: Market, id: number): Promise<void> {
  if (request.principal?.accounts === 'all') return;
  const account = await accountOfOrder(market, id);
  if (account === undefined) throw new Problem('HFT_ORDER_NOT_FOUND', `there is no order ${id}`, { field: 'id' });
  authorizeAccount(request, account);
}
