/** Every role with every frame of WebSocket and every method of gRPC, for its own account, another one and all, against the one table of roles. */
import { once } from 'node:events';
import { status, type MethodDefinition } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { localToken } from '../access/local-token.ts';
import { ACTIONS, ROLES, type Action, type Role } from '../access/roles.ts';
import { MARKET_SERVICE, METHODS, ORDER_SERVICE, type OrderCommand } from '../client/grpc-contract.ts';
import { GrpcOrderClient } from '../client/grpc.ts';
import { decodeMessage, encodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { FRAMES, type FrameName } from '../client/websocket-frames.ts';
import { FRAME_NAMES } from '../client/websocket-layout.ts';
import { REJECT } from '../core/types.ts';
import { bearer, call, order, place, startGrpcEngine, type GrpcEngine } from './grpc/grpc.test-support.ts';
import { ORDER } from './websocket/gateway.test-support.ts';

/** What a frame or method asks for: one of the actions, or any of several; `open` for what anybody may who got in. */
type Asks = { readonly actions: readonly Action[] | 'open'; readonly ofAccount: boolean };
const asks = (...actions: Action[]): Asks => ({ actions, ofAccount: actions.some((action) => ACTIONS[action].ofAccount) });
const OPEN: Asks = { actions: 'open', ofAccount: false };
const SCOPES = [['alice'], ['bob'], 'all'] as const;
type Scope = (typeof SCOPES)[number];
const CASES = ROLES.flatMap((role) => SCOPES.map((scope) => ({ role, scope })));

/** Whether the table lets `role` do it for alice. */
function allows({ actions, ofAccount }: Asks, role: Role, scope: Scope): boolean {
  if (actions === 'open') return true;
  const allowed = actions.some((action) => (ACTIONS[action].roles as readonly Role[]).includes(role));
  return allowed && (!ofAccount || scope === 'all' || scope[0] === 'alice');
}

let engine: GrpcEngine;
beforeAll(async () => {
  engine = await startGrpcEngine();
});
afterAll(async () => await engine[Symbol.asyncDispose]());

async function tokenOf(role: Role, scope: Scope): Promise<string> {
  return await localToken(engine.local.dataDirectory, 'local', { roles: [role], accounts: scope, subject: `${role}-${String(scope)}` });
}

const FRAME_ASKS: Readonly<Record<string, Asks>> = {
  newOrder: asks('orders.write'),
  newOrderFull: asks('orders.write'),
  replace: asks('orders.write'),
  cancel: asks('orders.cancel'),
  massCancel: asks('orders.cancel'),
  // A handle says nothing yet: whoever may do anything with the account may have one.
  useAccount: asks('orders.read', 'orders.write', 'orders.cancel'),
  // Not served on this port: refused as such, whoever asks.
  subscribe: OPEN,
  unsubscribe: OPEN,
  heartbeat: OPEN,
};
const CLIENT_FRAMES = FRAME_NAMES.filter((name) => FRAMES[name].from !== 'server');

function frameOf(name: FrameName, account: number, orderId: number): AnyFrame {
  const request = { number: 99, account };
  switch (name) {
    case 'newOrder':
      return { ...ORDER, ...request };
    case 'newOrderFull':
      return { ...ORDER, ...request, frame: name, stopTicks: 0, displayLots: 0, expiryMicros: 0 };
    case 'replace':
      return { frame: name, ...request, orderId, priceTicks: 0, quantityLots: 3, stopTicks: 0, expectedLots: 0 };
    case 'cancel':
      return { frame: name, ...request, orderId };
    case 'massCancel':
      return { frame: name, ...request, instrument: 65_535 };
    case 'useAccount':
      return { frame: name, number: 99, name: 'alice' };
    case 'subscribe':
      return { frame: name, ...request, fromSequence: 0, instrument: 0, depth: 0, channel: 'top' };
    case 'unsubscribe':
      return { frame: name, ...request, instrument: 0, channel: 'top' };
    default:
      return { frame: 'heartbeat', number: 99, timeMicros: 0 };
  }
}

/** What a connection with `token` is answered to one frame of each name about alice and an order of hers. */
async function answersTo(names: readonly FrameName[], token: string): Promise<Map<FrameName, number | string>> {
  const ws = new WebSocket(`${engine.local.baseUrl.replace('http', 'ws')}/v1/ws`, 'hft.binary.v1', {
    headers: { authorization: `Bearer ${token}` },
  });
  const frames: AnyFrame[] = [];
  ws.on('message', (data) => frames.push(...decodeMessage(data as Buffer)));
  await once(ws, 'open');
  const next = async (isWanted: (frame: AnyFrame) => boolean): Promise<AnyFrame> => {
    await expect.poll(() => frames.some(isWanted), { interval: 1, timeout: 5000 }).toBe(true);
    const [found] = frames.splice(0).filter(isWanted);
    if (found === undefined) throw new Error('it was there');
    return found;
  };
  ws.send(encodeMessage([{ frame: 'useAccount', number: 7, name: 'alice' }]));
  const handle = await next(({ number }) => number === 7);
  // Without one, the number that the first of them has.
  const account = handle.frame === 'account' ? handle.account : 0;
  const answers = new Map<FrameName, number | string>();
  for (const name of names) {
    const orderId = await place(engine.client, { priceTicks: 5 });
    ws.send(encodeMessage([frameOf(name, account, orderId), { frame: 'useAccount', number: 100, name: 'no spaces' }]));
    const answer = await next(({ frame, number }) => number === 99 || (name === 'heartbeat' && number === 100 && frame === 'rejected'));
    answers.set(name, answer.frame === 'rejected' ? answer.reject : answer.frame);
  }
  ws.close();
  await once(ws, 'close');
  return answers;
}

describe('WebSocket frames', () => {
  it('each ask for something: a new one needs a line in the list above', () => {
    expect(Object.keys(FRAME_ASKS).toSorted()).toEqual(CLIENT_FRAMES.toSorted());
  });

  it.each(CASES)('$role of $scope: as the table says, for alice', async ({ role, scope }) => {
    const answers = await answersTo(CLIENT_FRAMES, await tokenOf(role, scope));
    expect([...answers]).toEqual(CLIENT_FRAMES.map((name) => [name, expectedOf(name, role, scope)]));
  });
});

const DONE: Readonly<Record<string, string>> = {
  newOrder: 'placed',
  newOrderFull: 'placed',
  replace: 'replaced',
  cancel: 'cancelled',
  massCancel: 'massCancelled',
  useAccount: 'account',
};

/** The answer to a frame: its name, or the number of a refusal. */
function expectedOf(name: FrameName, role: Role, scope: Scope): string | number | undefined {
  if (name === 'subscribe' || name === 'unsubscribe') return REJECT.badTerms;
  // The frame behind it is answered.
  if (name === 'heartbeat') return REJECT.forbidden;
  const needs = FRAME_ASKS[name] ?? OPEN;
  if (allows(needs, role, scope)) return DONE[name];
  // The only handle that bob has is his own: with it he may do what his role may, and an order of alice's is none of his.
  const hasOwn = scope !== 'all' && scope[0] === 'bob' && name !== 'useAccount' && allows(needs, role, ['alice']);
  if (!hasOwn) return REJECT.forbidden;
  return name === 'replace' || name === 'cancel' ? REJECT.unknownOrder : DONE[name];
}

interface Rpc {
  readonly asks: Asks;
  readonly method: MethodDefinition<never, unknown>;
  readonly request: (orderId: number) => object;
}
const rpc = (method: object, needs: Asks, request: Rpc['request']): Rpc => ({ method: method as Rpc['method'], asks: needs, request });
const UNARY: Readonly<Record<string, Rpc>> = {
  [METHODS.placeOrder.path]: rpc(METHODS.placeOrder, asks('orders.write'), () => order({ priceTicks: 5 })),
  [METHODS.replaceOrder.path]: rpc(METHODS.replaceOrder, asks('orders.write'), (orderId) => ({
    orderId,
    priceTicks: 0,
    quantityLots: 3,
    stopPriceTicks: 0,
  })),
  [METHODS.cancelOrder.path]: rpc(METHODS.cancelOrder, asks('orders.cancel'), (orderId) => ({ orderId })),
  [METHODS.massCancel.path]: rpc(METHODS.massCancel, asks('orders.cancel'), () => ({ account: 'alice', symbol: '' })),
  [METHODS.getOrder.path]: rpc(METHODS.getOrder, asks('orders.read'), (orderId) => ({ orderId })),
  [METHODS.instruments.path]: rpc(METHODS.instruments, asks('market.read'), () => ({})),
  [METHODS.getBook.path]: rpc(METHODS.getBook, asks('market.read'), () => ({ symbol: 'BTC-USD', depth: 1 })),
};
/** The commands of the one stream, by what each asks for. */
const COMMANDS: readonly [Asks, (orderId: number) => Omit<OrderCommand, 'request'>][] = [
  [asks('orders.write'), () => ({ place: order({ priceTicks: 5 }) })],
  [asks('orders.write'), (orderId) => ({ replace: { account: 'alice', orderId, remainingLots: 3 } })],
  [asks('orders.cancel'), (orderId) => ({ cancel: { account: 'alice', orderId } })],
  [asks('orders.cancel'), () => ({ massCancel: { account: 'alice' } })],
];
const REJECTED = 5;

describe('gRPC methods', () => {
  it('each ask for something: a new one needs a line in the list above', () => {
    const paths = [ORDER_SERVICE, MARKET_SERVICE].flatMap((service) => Object.values(service).map(({ path }) => path));
    expect([...Object.keys(UNARY), METHODS.orderEntry.path].toSorted()).toEqual(paths.toSorted());
  });

  it.each(CASES)('$role of $scope: as the table says, for alice', async ({ role, scope }) => {
    const token = await tokenOf(role, scope);
    for (const [path, { method, asks: needs, request }] of Object.entries(UNARY)) {
      const orderId = await place(engine.client, { priceTicks: 5 });
      const { status: ended } = await call(engine.client, method, request(orderId) as never, { metadata: bearer(token) });
      expect([path, ended.code]).toEqual([path, allows(needs, role, scope) ? status.OK : status.PERMISSION_DENIED]);
      if (ended.code !== status.OK) expect(ended.metadata.get('hft-code')).toEqual(['HFT_FORBIDDEN']);
    }
  });

  it.each(CASES)('$role of $scope: as the table says, for alice, in a stream', async ({ role, scope }) => {
    const client = new GrpcOrderClient({ address: engine.address, token: await tokenOf(role, scope) });
    const refused = new Map<number, boolean>();
    const entry = await client.orderEntry({
      answers: (answers) =>
        answers.forEach(({ request, kind, reject }) => refused.set(request, kind === REJECTED && reject === REJECT.forbidden)),
      ended: () => undefined,
    });
    for (const [request, [needs, commandFor]] of COMMANDS.entries()) {
      const orderId = await place(engine.client, { priceTicks: 5 });
      entry.send([{ request, ...commandFor(orderId) }]);
      await expect.poll(() => refused.get(request), { interval: 1, timeout: 5000 }).toBe(!allows(needs, role, scope));
    }
    entry.end();
    client.close();
  });
});
