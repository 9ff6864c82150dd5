/** What the golden files show. Each is a manifest that a real API server must accept (see e2e/tests/charts.api.test.ts). */
import { specSchema, type HFTEngineSpecInput } from '../../crds/hftengine.ts';
import { engineObjects } from '../engine.ts';
import type { KubeObject } from '../kube-object.ts';
import { operatorObjects } from '../operator.ts';

export const GOLDEN_NAMESPACE = 'trading';

const BTC = { symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' };
const EUR = { symbol: 'EUR/USD', tickSize: '0.00001', lotSize: '1000' };

function engine(name: string, spec: Partial<HFTEngineSpecInput> = {}, operatorNamespace?: string): KubeObject[] {
  return engineObjects({
    name,
    namespace: GOLDEN_NAMESPACE,
    uid: '00000000-0000-4000-8000-000000000001',
    spec: specSchema.parse({ instruments: [BTC], ...spec }),
    secrets: { adminToken: 'golden-file-token', signingKeys: '{"keys": [{"kid": "golden", "alg": "EdDSA", "kty": "OKP", "crv": "Ed25519", "x": "public", "d": "private"}]}' },
    operatorNamespace,
  });
}

/** File name (without `.yaml`) of each golden file and the objects in it. */
export const GOLDEN_CASES: Readonly<Record<string, () => KubeObject[]>> = {
  'engine-default': () => engine('demo'),
  'engine-explicit-heap': () =>
    engine('tuned', { resources: { cpu: 2, memory: '4Gi' }, runtime: { heap: 'explicit', oldSpaceMi: 2048, semiSpaceMi: 64 } }),
  'engine-fractional-cpu': () => engine('small', { resources: { cpu: '0.25', memory: '256Mi' } }),
  'engine-storage-class': () => engine('fast', { journal: { durability: 'commit', storage: '50Gi', storageClassName: 'local-ssd' } }),
  'engine-kill-switch': () => engine('halted', { risk: { killSwitch: true, priceBandPercent: 5 } }),
  'engine-every-field': () =>
    engine(
      'full',
      {
        image: 'registry.example/hft-engine:1.2.3',
        imagePullPolicy: 'Always',
        instruments: [BTC, EUR],
        resources: { cpu: 4, memory: '8Gi' },
        runtime: { heap: 'auto' },
        journal: { durability: 'memory', storage: '1Ti', storageClassName: 'fast', retention: '24h', snapshotEvery: 500_000 },
        risk: {
          maxOrderQty: '100000',
          maxNotional: '5000000',
          priceBandPercent: 50,
          maxPosition: '250000',
          maxOpenOrders: 10_000,
          maxOpenNotional: '20000000',
          volatility: { bandPercent: 5, window: '5m', halt: '1m', auction: '30s' },
          killSwitch: false,
        },
        limits: { ordersPerSecond: 500_000, burst: 1_000_000 },
        auth: { rotateEvery: '1h', overlap: '5m' },
        rollout: { autoRollback: false, progressDeadline: '1m30s', slo: { matchP99Micros: 50, gcPauseMs: 5 } },
        observability: { dashboard: false, logLevel: 'debug', alerts: { latencyMs: 5, errorRatePercent: 2 } },
        deletionPolicy: 'Delete',
      },
      'platform',
    ),
  'engine-tls': () => engine('secure', { tls: { secretName: 'secure-tls' } }),
  'engine-client-certificates': () =>
    engine('closed', { tls: { secretName: 'closed-tls', clientAuth: 'require', clientCaSecretName: 'desk-authority' } }),
  'engine-two-in-one-namespace': () => [...engine('alpha'), ...engine('beta')],
  operator: () => operatorObjects(),
  'operator-elsewhere': () =>
    operatorObjects({ image: 'registry.example/hft-operator:1.2.3', imagePullPolicy: 'Always', namespace: 'platform', replicas: 3 }),
};
