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
import { localToken } from '../../access/local-token.ts';
import { METHODS, type PlaceOrderRequest } from '../../client/grpc-contract.ts';
import { startLocalEngine, type LocalEngine } from '../../testing/local-engine.ts';

const HOUR_MS = 3_600_000;
const CLAIMS = {
  all: { roles: ['trader', 'risk', 'admin'], accounts: 'all', lifetimeMs: HOUR_MS },
  alice: { roles: ['trader'], accounts: ['alice'], lifetimeMs: HOUR_MS },
  viewer: { roles: ['viewer'], accounts: 'all', lifetimeMs: HOUR_MS },
  risk: { roles: ['risk'], accounts: 'all', lifetimeMs: HOUR_MS },
  short: { roles: ['trader'], accounts: 'all', lifetimeMs: 3000 },
} as const;

/** Tokens of the engine that was started last, by the names above. */
const tokens = new Map<string, string>();

/** A name that stands for no token is one itself. */
export function tokenOf(name: string): string {
  return tokens.get(name) ?? name;
}

async function makeTokens({ dataDirectory, running }: LocalEngine): Promise<void> {
  const { engine } = running.engine.config;
  for (const [name, claims] of Object.entries(CLAIMS))
    tokens.set(name, await localToken(dataDirectory, engine, { subject: name, ...claims }));
}

export interface GrpcEngine extends AsyncDisposable {
  readonly local: LocalEngine;
  readonly address: string;
  readonly client: Client;
}

export async function startGrpcEngine(config: Partial<EngineConfig> = { journal: { durability: 'memory' } }): Promise<GrpcEngine> {
  const local = await startLocalEngine({ config });
  await makeTokens(local);
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
  if (token !== undefined) metadata.set('authorization', `Bearer ${tokenOf(token)}`);
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
