import { CurrentProvider } from './current.ts';
import { DEFAULT_NODE_IMAGE, kindClusterExists, kindObstacle, KindProvider } from './kind.ts';
import { LocalProvider } from './local/provider.ts';
import type { ClusterProvider, ProviderOptions } from './provider.ts';

export const PROVIDERS = ['kind', 'local', 'current'] as const;

/**
 * The provider that `options` (or `HFT_PROVIDER`) name; else the one whose cluster is there; else kind when a Docker engine answers and has (or can pull) the node image, or
 * else local on Linux as root. `current` is only ever chosen by name. Throws with what to do when there is none.
 */
export async function chooseProvider(options: ProviderOptions = {}): Promise<ClusterProvider> {
  const log = options.log ?? (() => {});
  const name = options.name ?? 'hftengine';
  switch (options.provider ?? providerFromEnvironment()) {
    case 'current':
      return new CurrentProvider(options.context);
    case 'kind':
      return new KindProvider(name, options.nodeImage);
    case 'local':
      return new LocalProvider(name);
    case undefined:
  }
  const isRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;
  if (isRootOnLinux && !options.nodeImage) {
    // A local cluster that is already there is the one that the commands without --provider mean.
    const local = new LocalProvider(name);
    if (local.exists()) return local;
  }
  if (await kindClusterExists(name)) return new KindProvider(name, options.nodeImage);
  const obstacle = await kindObstacle(options.nodeImage ?? DEFAULT_NODE_IMAGE, log);
  if (!obstacle) return new KindProvider(name, options.nodeImage);
  if (options.nodeImage) throw new Error(`--node-image ${options.nodeImage} needs kind, and ${obstacle}`);
  if (isRootOnLinux) {
    log(`provider local (not kind: ${obstacle})`);
    return new LocalProvider(name);
  }
  throw new Error(
    `No cluster can be made here: ${obstacle}, and the local provider needs Linux and root. ` +
      'Start a Docker engine, run as root (sudo), or use your own cluster with --provider current',
  );
}

function providerFromEnvironment(): ProviderOptions['provider'] {
  const name = process.env['HFT_PROVIDER'];
  if (!name) return undefined;
  const known = PROVIDERS.find((provider) => provider === name);
  if (!known) throw new Error(`HFT_PROVIDER=${name}: use ${PROVIDERS.join(', ')}`);
  return known;
}
