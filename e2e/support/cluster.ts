/** The cluster that `e2e/run.ts` brought up, and engines on it. */
import { engineNames, OPERATIONS_PORT, ORDERS_PORT } from '../../charts/names.ts';
import type { HFTEngineSpecInput } from '../../crds/hftengine.ts';
import { OrderClient } from '../../engine/client/orders.ts';
import { loadClient, type KubeClient } from '../../operator/kube/client.ts';
import { resources } from '../../operator/kube/resource.ts';
import { kubectlFor, type Kubectl } from '../kubectl.ts';
import { OrderStream, type OrderStreamOptions } from '../order-stream.ts';
import { reach, type Reached } from '../reach.ts';
import { traderToken } from '../token.ts';
import { BTC, engineObject, engines, ensureNamespace, type EngineObject } from './install.ts';
import { eventually } from '../wait.ts';

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run these tests with npm run e2e`);
  return value;
}

/** Small, so that several engines fit on a two-CPU node beside everything else. */
const SMALL: Partial<HFTEngineSpecInput> = {
  resources: { cpu: '250m', memory: '384Mi' },
  journal: { durability: 'disk', storage: '256Mi' },
};

export interface EngineRef {
  name: string;
  namespace: string;
}

export class TestCluster implements AsyncDisposable {
  readonly provider = required('HFT_E2E_PROVIDER');
  readonly image = required('HFT_E2E_IMAGE');
  readonly #kubeconfigPath = required('HFT_E2E_KUBECONFIG');
  readonly #kubectlPath = required('HFT_E2E_KUBECTL');
  readonly client: KubeClient = loadClient({ kubeconfigPath: this.#kubeconfigPath });
  readonly kubectl: Kubectl = kubectlFor(this.#kubectlPath, this.#kubeconfigPath);
  readonly #reached = new Map<string, Reached>();

  /** A new namespace that admits only restricted pods, empty: one that an earlier run left is deleted first. */
  async namespace(name: string): Promise<string> {
    await this.dropNamespace(name);
    await ensureNamespace(this.client, name);
    return name;
  }

  async dropNamespace(name: string): Promise<void> {
    await this.client.delete(resources.namespaces, { name });
    await eventually(`namespace ${name} is gone`, async () => (await this.client.find(resources.namespaces, { name })) === undefined, {
      timeoutMs: 90_000,
      everyMs: 250,
    });
  }

  async createEngine(ref: EngineRef, spec: Partial<HFTEngineSpecInput> = {}): Promise<void> {
    const object = engineObject(ref.name, ref.namespace, { image: this.image, instruments: [BTC], ...SMALL, ...spec });
    await this.client.create(engines, object as EngineObject);
  }

  /** As a user waits: kubectl compares the condition's generation with the resource's. */
  async waitReady(ref: EngineRef, timeoutSeconds = 90): Promise<EngineObject> {
    const args = ['-n', ref.namespace, 'wait', '--for=condition=Ready', `hft/${ref.name}`, `--timeout=${timeoutSeconds}s`];
    try {
      await this.kubectl(args, { timeoutMs: (timeoutSeconds + 5) * 1_000 });
    } catch (error) {
      const { status } = await this.engine(ref);
      throw new Error(`${ref.name} is not Ready: ${JSON.stringify(status)}`, { cause: error });
    }
    return await this.engine(ref);
  }

  async engine(ref: EngineRef): Promise<EngineObject> {
    return await this.client.get(engines, ref);
  }

  async pod(ref: EngineRef) {
    const { items } = await this.client.list(resources.pods, {
      namespace: ref.namespace,
      labelSelector: `hftengine.io/engine=${ref.name}`,
    });
    const pod = items.find(({ metadata }) => metadata.deletionTimestamp === undefined);
    if (pod === undefined) throw new Error(`${ref.name} has no pod`);
    return pod;
  }

  /** Address of the orders port at this moment: a Service that was made again has another, and a port-forward ends with its pod. */
  async ordersUrl(ref: EngineRef): Promise<string> {
    return await this.#url(ref, engineNames(ref.name).ordersService, ORDERS_PORT);
  }

  async operationsUrl(ref: EngineRef): Promise<string> {
    return await this.#url(ref, engineNames(ref.name).operationsService, OPERATIONS_PORT);
  }

  async #url(ref: EngineRef, service: string, port: number): Promise<string> {
    const key = `${ref.namespace}/${service}`;
    await this.#reached.get(key)?.[Symbol.asyncDispose]();
    const reached = await reach({
      kubectl: this.kubectl,
      kubectlPath: this.#kubectlPath,
      kubeconfigPath: this.#kubeconfigPath,
      namespace: ref.namespace,
      service,
      port,
      direct: this.provider === 'local',
    });
    this.#reached.set(key, reached);
    return reached.url;
  }

  /** Of a trader for all accounts. */
  async token(ref: EngineRef): Promise<string> {
    return await traderToken(this.kubectl, ref);
  }

  async orders(ref: EngineRef): Promise<OrderClient> {
    return new OrderClient({ baseUrl: await this.ordersUrl(ref), token: await this.token(ref) });
  }

  stream(ref: EngineRef, options: Partial<OrderStreamOptions> = {}): OrderStream {
    return new OrderStream({
      url: () => this.ordersUrl(ref),
      token: () => this.token(ref),
      symbol: 'BTC-USD',
      basePrice: 100,
      priceDigits: 2,
      quantity: '0.01',
      account: 'stream',
      ...options,
    }).start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reached of this.#reached.values()) await reached[Symbol.asyncDispose]();
    await this.client.close();
  }
}
