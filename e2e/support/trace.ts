/** Everything that was ever said of one HFTEngine, in order, as a watcher hears it. */
import type { KubeClient } from '../../operator/kube/client.ts';
import { Reflector } from '../../operator/kube/reflector.ts';
import { engines, type EngineObject } from './install.ts';

export interface StatusTrace extends AsyncDisposable {
  readonly seen: readonly EngineObject[];
}

export async function traceStatus(client: KubeClient, ref: { name: string; namespace: string }): Promise<StatusTrace> {
  const seen: EngineObject[] = [];
  const note = (engine: EngineObject): void => void seen.push(engine);
  const reflector = new Reflector<EngineObject>({
    client,
    resource: engines,
    namespace: ref.namespace,
    fieldSelector: `metadata.name=${ref.name}`,
    handlers: { added: note, updated: note },
  });
  reflector.start();
  await reflector.whenSynced({ timeoutMs: 10_000 });
  return { seen, [Symbol.asyncDispose]: () => reflector.stop() };
}
