/** The flags by which `up`, `down` and `e2e` name a cluster. */
import { chooseProvider, PROVIDERS } from './cluster/choose.ts';
import type { ClusterProvider } from './cluster/provider.ts';

const string = { type: 'string' } as const;
export const PROVIDER_OPTIONS = { provider: string, name: string, 'node-image': string, context: string } as const;

export type ProviderFlags = { -readonly [flag in keyof typeof PROVIDER_OPTIONS]?: string | undefined };

/** The provider that the flags name, or the one that fits this machine. Throws on a name that there is not. */
export async function providerOf(flags: ProviderFlags): Promise<ClusterProvider> {
  const provider = PROVIDERS.find((known) => known === flags.provider);
  if (flags.provider !== undefined && provider === undefined) throw new Error(`--provider ${flags.provider}: use ${PROVIDERS.join(', ')}`);
  return await chooseProvider({ provider, name: flags.name, nodeImage: flags['node-image'], context: flags.context, log: console.log });
}
