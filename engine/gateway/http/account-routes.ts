/** What an account may do, and how much of it is used. */
import { accountLimitsSchema, accountParams, type AccountLimits } from '../../client/account-schemas.ts';
import { problemSchema } from '../../client/schemas.ts';
import { ANY_ACCOUNT } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import type { Instrument } from '../../service/instruments.ts';
import type { Market } from '../../service/market.ts';
import { signed } from '../../service/rejects.ts';
import { authorizeAccount } from './guard.ts';
import type { OrderGate } from './order-gate.ts';
import type { HttpServer } from './server.ts';

export function registerAccountRoutes(app: HttpServer, engine: Engine, gate: OrderGate): void {
  app.route({
    method: 'GET',
    url: '/v1/accounts/:account/limits',
    config: { action: 'orders.read' },
    schema: {
      tags: ['accounts'],
      summary: 'The risk and rate limits of an account, and what is used of them',
      params: accountParams,
      response: { 200: accountLimitsSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: async (request, reply) => {
      authorizeAccount(request, request.params.account);
      const { market } = engine;
      const view = limitsOf(engine, market, gate, request.params.account);
      await market.sequencer.settled();
      return await reply.send(view);
    },
  });
}

function limitsOf(engine: Engine, market: Market, gate: OrderGate, name: string): AccountLimits {
  const { risk, limits } = engine.config;
  const { core } = market;
  const account = market.accounts.find(name);
  const listed = [...market.bySymbol.values()];
  return {
    account: name,
    sequence: core.sequence,
    rate: { ...limits, available: Math.floor(gate.limiter.available(name, performance.now())) },
    killSwitch: { all: core.killed(ANY_ACCOUNT), account: account !== undefined && core.killed(account) },
    openOrders: { limit: risk.maxOpenOrders ?? null, used: account === undefined ? 0 : core.openOrdersOf(account) },
    order: { maxQuantity: risk.maxOrderQty, maxNotional: risk.maxNotional, priceBandPercent: risk.priceBandPercent ?? null },
    instruments: account === undefined ? [] : listed.flatMap((instrument) => useOf(market, engine.config.risk, account, instrument)),
  };
}

function useOf(market: Market, risk: Engine['config']['risk'], account: number, instrument: Instrument): AccountLimits['instruments'] {
  const position = market.core.position(account, instrument.id);
  if (position === undefined || (position.lots === 0 && position.openOrders === 0)) return [];
  const { lots, openBuyLots, openSellLots } = position;
  return [
    {
      symbol: instrument.symbol,
      position: {
        limit: risk.maxPosition ?? null,
        held: signed(instrument, lots),
        ifBought: signed(instrument, lots + openBuyLots),
        ifSold: signed(instrument, lots - openSellLots),
      },
      openNotional: {
        limit: risk.maxOpenNotional ?? null,
        used: instrument.tick.formatProduct(instrument.lot, market.core.openNotionalOf(account, instrument.id)),
      },
    },
  ];
}
