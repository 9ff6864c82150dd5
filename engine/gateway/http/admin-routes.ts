/** The admin calls that change the market. They are for the operations port, inside the scope that asks for the token. */
import { appliedConfigSchema, applyConfigBody } from '../../client/admin.ts';
import { killSwitchBody, massCancelAnswerSchema, setStateBody, snapshotAnswerSchema, symbolParams } from '../../client/schemas.ts';
import { AUCTION, CLOSED, HALTED, PRE_OPEN, TRADING } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import { requireListed } from './answers.ts';
import { authorizeAccount, principalOf } from './guard.ts';
import type { HttpServer } from './server.ts';

const STATES = { trading: TRADING, 'pre-open': PRE_OPEN, auction: AUCTION, halted: HALTED, closed: CLOSED } as const;

export function registerAdminRoutes(admin: Pick<HttpServer, 'route'>, engine: Engine): void {
  admin.route({
    method: 'POST',
    url: '/admin/instruments/:symbol/state',
    config: { action: 'market.control' },
    schema: { params: symbolParams, body: setStateBody, response: { 200: massCancelAnswerSchema } },
    handler: async (request) => {
      const market = engine.requireAccepting();
      authorizeAccount(request, undefined);
      const { id } = requireListed(market, request.params.symbol);
      const { count, orderIds } = await market.desk.setState(id, STATES[request.body.state], principalOf(request).subject);
      return { count, ids: orderIds.map(String) };
    },
  });

  admin.route({
    method: 'POST',
    url: '/admin/kill-switch',
    config: { action: 'risk.write' },
    schema: { body: killSwitchBody, response: { 200: massCancelAnswerSchema } },
    handler: async (request) => {
      const { account, on } = request.body;
      authorizeAccount(request, account);
      const { count, orderIds } = await engine.requireAccepting().desk.killSwitch(account ?? null, on, principalOf(request).subject);
      engine.stats.cancels += count;
      return { count, ids: orderIds.map(String) };
    },
  });

  admin.route({
    method: 'POST',
    url: '/admin/config',
    config: { action: 'engine.admin' },
    schema: { body: applyConfigBody, response: { 200: appliedConfigSchema } },
    handler: async (request) => {
      authorizeAccount(request, undefined);
      return await engine.live.apply(request.body.config, request.body.expectedHash, principalOf(request).subject);
    },
  });

  admin.route({
    method: 'POST',
    url: '/admin/snapshot',
    config: { action: 'engine.admin' },
    schema: { response: { 200: snapshotAnswerSchema } },
    handler: async (request) => {
      authorizeAccount(request, undefined);
      return await engine.snapshot();
    },
  });
}
