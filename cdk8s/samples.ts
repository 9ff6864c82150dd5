/** Resources to try the operator with. */
import { ApiObject, Chart } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { RESTRICTED_NAMESPACE_LABELS } from '../charts/pod-security.ts';
import { API_VERSION, KIND, type HFTEngineSpecInput } from '../crds/hftengine.ts';

export const SAMPLE_NAMESPACE = 'trading';

/** An engine with what most people set; all the rest has defaults. */
const DEMO_SPEC: HFTEngineSpecInput = {
  instruments: [
    { symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' },
    { symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.001' },
  ],
  // Half a CPU, so that it starts on a small machine beside others; a real venue wants whole ones (see the condition WholeCPUs).
  resources: { cpu: '500m', memory: '1Gi' },
  journal: { durability: 'disk', storage: '1Gi' },
  risk: { maxOrderQty: '100', maxNotional: '1000000', priceBandPercent: 10 },
};

/** The HFTEngine `demo` and its namespace, which admits only restricted pods. */
export class DemoChart extends Chart {
  /** @param image Image of the engine; the default of the CRD when absent. */
  constructor(scope: Construct, id: string, image?: string) {
    super(scope, id);
    const namespace = new k8s.KubeNamespace(this, 'namespace', {
      metadata: { name: SAMPLE_NAMESPACE, labels: RESTRICTED_NAMESPACE_LABELS },
    });
    const engine = new ApiObject(this, 'engine', {
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: { name: 'demo', namespace: SAMPLE_NAMESPACE },
      spec: { ...DEMO_SPEC, ...(image === undefined ? {} : { image }) },
    });
    engine.addDependency(namespace);
  }
}
