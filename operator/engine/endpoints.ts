/** Addresses of an engine inside the cluster. */
import type { HFTEngine, HFTEngineStatus } from '../../crds/hftengine.ts';
import { engineNames, OPERATIONS_PORT, ORDERS_PORT } from '../../charts/names.ts';

export function endpointsOf(engine: HFTEngine): NonNullable<HFTEngineStatus['endpoints']> {
  const { name, namespace } = engine.metadata;
  const { ordersService, operationsService } = engineNames(name);
  const operations = `http://${operationsService}.${namespace}.svc:${OPERATIONS_PORT}`;
  return {
    orders: `${engine.spec.tls === undefined ? 'http' : 'https'}://${ordersService}.${namespace}.svc:${ORDERS_PORT}`,
    operations,
    ...(engine.spec.observability.dashboard ? { dashboard: `${operations}/dashboard` } : {}),
  };
}
