/** `npm run e2e`: brings a cluster up with the operator on it, then runs the end-to-end tests there. */
import { execa } from 'execa';
import { bringUp } from './bring-up.ts';
import { providerOf, PROVIDER_OPTIONS, type ProviderFlags } from './options.ts';

const HELP = `npm run e2e -- [--provider kind|local|current] [--node-image IMAGE] [--context NAME] [VITEST ARGUMENT ...]

Runs e2e/tests/*.e2e.test.ts on a real cluster. Without --provider: kind where a Docker engine answers and has a node image, else local.
Further arguments go to vitest: npm run e2e -- --provider local rollout`;

/** Takes the provider's flags out of the arguments; what is left goes to vitest, whose flags are not ours to know. */
function splitArguments(argv: readonly string[]): { cluster: ProviderFlags; vitest: string[] } {
  const cluster: ProviderFlags = {};
  const vitest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const [flag, inline] = (argv[i] ?? '').split('=', 2);
    const name = Object.keys(PROVIDER_OPTIONS).find((candidate): candidate is keyof ProviderFlags => `--${candidate}` === flag);
    if (name === undefined) vitest.push(argv[i] ?? '');
    else cluster[name] = inline ?? argv[++i] ?? '';
  }
  return { cluster, vitest };
}

const { cluster, vitest } = splitArguments(process.argv.slice(2));
if (vitest.includes('--help')) {
  console.log(HELP);
} else {
  const provider = await providerOf(cluster);
  console.log(`provider: ${provider.name}`);
  const { kubeconfigPath, engineImage } = await bringUp(provider, console.log);
  const run = await execa('vitest', ['run', '--project', 'e2e', ...vitest], {
    preferLocal: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    reject: false,
    env: {
      HFT_E2E_PROVIDER: provider.name,
      HFT_E2E_KUBECONFIG: kubeconfigPath,
      HFT_E2E_KUBECTL: await provider.kubectlPath(),
      HFT_E2E_IMAGE: engineImage,
    },
  });
  process.exitCode = run.exitCode ?? 1;
}
