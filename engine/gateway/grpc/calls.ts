/** What every unary call goes through: its token, its deadline, its work, and its refusal where there is one. */
import type { handleUnaryCall, Metadata, ServerUnaryCall, StatusObject } from '@grpc/grpc-js';
import type { Access } from '../../access/access.ts';
import type { Principal } from '../../access/principal.ts';
import type { EngineLog } from '../../service/engine.ts';
import { Problem, type ProblemCode } from '../../service/problem.ts';
import { problemOfCause, statusOf } from './status.ts';

const BEARER = /^Bearer ([^\s]+)$/i;

/** The bearer token of a call; undefined without one. Throws Problem when there is something that is none. */
export function tokenOf(metadata: Metadata): string | undefined {
  const [value, ...more] = metadata.get('authorization');
  if (value === undefined) return undefined;
  const token = typeof value === 'string' && more.length === 0 ? BEARER.exec(value)?.[1] : undefined;
  if (token === undefined) throw new Problem('HFT_UNAUTHORIZED', 'authorization must be there once, as "Bearer TOKEN"');
  return token;
}

export interface UnaryParts {
  readonly access: Pick<Access, 'gatekeeper' | 'requestLimits' | 'authenticate' | 'takeRequest'>;
  readonly log: EngineLog;
}

/**
 * A handler for `work`, which gets the principal of the call and answers or throws Problem. Work is not begun when the call's deadline has passed
 * or its client has gone by the time that the token has been looked at.
 */
export function unary<Request, Response>(
  parts: UnaryParts,
  work: (request: Request, principal: Principal) => Promise<Response>,
  done: (durationMs: number, refused: ProblemCode | undefined) => void = () => undefined,
): handleUnaryCall<Request, Response> {
  return (call, send) => {
    void serve(call, parts, work, done).then(({ refusal, answer }) => send(refusal, answer));
  };
}

interface Served<Response> {
  readonly refusal: StatusObject | null;
  readonly answer?: Response;
}

async function serve<Request, Response>(
  call: ServerUnaryCall<Request, Response>,
  { access, log }: UnaryParts,
  work: (request: Request, principal: Principal) => Promise<Response>,
  done: (durationMs: number, refused: ProblemCode | undefined) => void,
): Promise<Served<Response>> {
  const startMs = performance.now();
  try {
    const principal = await admit(access, call);
    if (call.cancelled || Number(call.getDeadline()) <= Date.now())
      throw new Problem('HFT_REQUEST_TIMEOUT', 'the deadline had passed before the call was begun: nothing was done');
    const answer = await work(call.request, principal);
    done(performance.now() - startMs, undefined);
    return { refusal: null, answer };
  } catch (cause) {
    const problem = problemOfCause(cause);
    if (problem.code === 'HFT_INTERNAL') log.error({ err: cause, path: call.getPath() }, 'a call failed');
    done(performance.now() - startMs, problem.code);
    return { refusal: statusOf(problem) };
  }
}

/** The address of a peer, which is ADDRESS:PORT. */
export function hostOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}

/** Whose token it is. Throws Problem without a good one, and for a user that sends faster than it may. */
export async function admit(access: UnaryParts['access'], call: { metadata: Metadata; getPeer(): string }): Promise<Principal> {
  const token = tokenOf(call.metadata);
  // Of a token that is known the address is not asked for: it is put together anew each time.
  const known = token === undefined ? undefined : access.gatekeeper.known(token);
  const principal = known ?? (await access.authenticate(token, hostOf(call.getPeer())));
  const waitMs = access.takeRequest(principal, performance.now());
  if (waitMs === 0) return principal;
  const { perSecond } = access.requestLimits;
  throw new Problem('HFT_USER_RATE_LIMIT', `${perSecond} calls a second may be made with this token: wait ${Math.ceil(waitMs)} ms`, {
    retryAfterMs: waitMs,
  });
}
