/** An engine with gRPC, and a bare client of it, for tests. */
import {
  Client,
  credentials,
  Metadata,
  type CallOptions,
  type ServiceError,
  type MethodDefinition,
  type StatusObject,
} from '@grpc/grpc-js';
import type { EngineConfig } from '../../../crds/engine-config.ts';
import { authorize } from '../../access/authorize.ts';
import type { Gatekeeper } from '../../access/gatekeeper.ts';
import type { Principal } from '../../access/principal.ts';
import { METHODS, type PlaceOrderRequest } from '../../client/grpc-contract.ts';
import { Problem } from '../../service/problem.ts';
import { startLocalEngine, type LocalEngine } from '../../testing/local-engine.ts';

const HOUR_MS = 3_600_000;

function principal(subject: string, roles: Principal['roles'], accounts: Principal['accounts']): Principal {
  return { subject, roles, accounts, expiresAtMs: Date.now() + HOUR_MS, keyId: 'test' };
}

/** By token. */
const PRINCIPALS = new Map([
  ['all', principal('all', ['trader', 'risk', 'admin'], 'all')],
  ['alice', principal('alice', ['trader'], new Set(['alice']))],
  ['viewer', principal('viewer', ['viewer'], 'all')],
  ['risk', principal('risk', ['risk'], 'all')],
  ['short', { ...principal('short', ['trader'], 'all'), expiresAtMs: Date.now() + 1500 }],
]);

export const TEST_GATEKEEPER: Gatekeeper = {
  authenticate: async (token) => {
    const known = PRINCIPALS.get(token ?? '');
    if (known === undefined) throw new Problem('HFT_UNAUTHORIZED', 'no such token');
    return await Promise.resolve(known);
  },
  authorize,
};

export interface GrpcEngine extends AsyncDisposable {
  readonly local: LocalEngine;
  readonly address: string;
  readonly client: Client;
}

export async function startGrpcEngine(config: Partial<EngineConfig> = { journal: { durability: 'memory' } }): Promise<GrpcEngine> {
  const local = await startLocalEngine({ config, grpc: TEST_GATEKEEPER });
  const address = `127.0.0.1:${local.running.grpcPort}`;
  const client = bareClient(address);
  return {
    local,
    address,
    client,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await local[Symbol.asyncDispose]();
    },
  };
}

export function bareClient(address: string): Client {
  return new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
}

export interface Outcome<Response> {
  readonly answer: Response | undefined;
  readonly status: StatusObject;
}

export function bearer(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

/** One unary call, and how it ended. */
export async function call<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  { metadata = bearer('all'), ...options }: CallOptions & { metadata?: Metadata } = {},
): Promise<Outcome<Response>> {
  return await new Promise((resolve) => {
    const made = client.makeUnaryRequest<Request, Response>(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline: Date.now() + 10_000, ...options },
      (_error: ServiceError | null, found?: Response) => (answer = found),
    );
    let answer: Response | undefined;
    made.on('status', (status: StatusObject) => resolve({ answer, status }));
  });
}

/** What a test expects, and the answer. Throws when the call was refused. */
export async function answerOf<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  token = 'all',
): Promise<Response> {
  const { answer, status } = await call(client, method, request, { metadata: bearer(token) });
  if (answer === undefined) throw new Error(`${method.path}: ${status.code} ${status.details}`);
  return answer;
}

/** A limit order to buy 10 lots at 100 ticks on behalf of alice; with what is given instead. */
export function order(change: Partial<PlaceOrderRequest> = {}): PlaceOrderRequest {
  return {
    symbol: 'BTC-USD',
    account: 'alice',
    side: 1,
    type: 1,
    timeInForce: 0,
    priceTicks: 100,
    quantityLots: 10,
    stopPriceTicks: 0,
    displayLots: 0,
    expiresAtMicros: 0,
    postOnly: false,
    selfTradePrevention: 0,
    clientOrderId: '',
    cancelOnDisconnect: false,
    ...change,
  };
}

export async function place(client: Client, change: Partial<PlaceOrderRequest> = {}): Promise<number> {
  return (await answerOf(client, METHODS.placeOrder, order(change))).order.id;
}
