import { parseArgs } from 'node:util';
import { chooseProvider, PROVIDERS } from './choose.ts';
import { selftest } from './local/selftest.ts';
import type { ClusterProvider, ProviderOptions } from './provider.ts';

const HELP = `npm run cluster -- COMMAND [OPTIONS]

A Kubernetes cluster for this machine: made, filled with images and removed.

Commands
  up            make the cluster ready (the first time builds it: minutes; later: seconds)
  down          remove it with all its data
  status        what runs; exit code 0 when ready, 3 when broken, 4 when absent
  load FILE...  make the images of docker-archives (build/images/*.tar) usable by pods
  kubeconfig    print the path of its kubeconfig
  selftest      does the local provider's down leave anything behind? up, crashes and down in turn, apart from your cluster

Options
  --provider kind|local|current   kind: Docker containers. local: processes on this machine (Linux, root).
                                  current: the context that kubectl uses, never changed.
                                  Default: the one that is up, else kind when Docker answers, else local;
                                  the environment variable HFT_PROVIDER sets it too
  --name NAME                     name of the cluster (hftengine)
  --node-image IMAGE              kind: the node image
  --context CONTEXT               current: the context
  --rounds N                      selftest: how often (4)
  --help
`;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      provider: { type: 'string' },
      name: { type: 'string' },
      'node-image': { type: 'string' },
      context: { type: 'string' },
      rounds: { type: 'string', default: '4' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [command, ...files] = positionals;
  if (values.help || !command) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  const provider = PROVIDERS.find((entry) => entry === values.provider);
  if (values.provider !== undefined && !provider) throw new UsageError(`--provider ${values.provider}: use ${PROVIDERS.join(', ')}`);
  if (command !== 'load' && files.length > 0) throw new UsageError(`${command} takes no argument, got ${files.join(' ')}`);
  if (command === 'load' && files.length === 0)
    throw new UsageError('load needs the path of a docker-archive, for example build/images/hft-engine.tar');
  const log = (line: string) => console.error(line);
  if (command === 'selftest') {
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError('--rounds: a whole number from 1');
    await selftest(rounds, log);
    return 0;
  }
  const run = COMMANDS[command];
  if (!run) throw new UsageError(`there is no command ${command}`);
  const options: ProviderOptions = { provider, name: values.name, nodeImage: values['node-image'], context: values.context, log };
  return run(await chooseProvider(options), files, log);
}

class UsageError extends Error {}

type Command = (provider: ClusterProvider, files: readonly string[], log: (line: string) => void) => Promise<number>;

const COMMANDS: Readonly<Record<string, Command | undefined>> = {
  up: async (provider, _files, log) => {
    const startedMs = performance.now();
    await provider.up(log);
    log(`cluster ready in ${((performance.now() - startedMs) / 1000).toFixed(1)} s (provider ${provider.name})`);
    log('try: npm run --silent kubectl -- get pods -A');
    return 0;
  },
  down: async (provider, _files, log) => {
    await provider.down(log);
    return 0;
  },
  status: async (provider) => {
    const status = await provider.status();
    console.log(`${status.name} (provider ${status.provider}): ${status.state}${status.version ? `, Kubernetes ${status.version}` : ''}`);
    for (const part of status.parts) console.log(`  ${part.name.padEnd(26)} ${part.state.padEnd(10)} ${part.detail}`.trimEnd());
    return { ready: 0, broken: 3, absent: 4 }[status.state];
  },
  load: async (provider, files, log) => {
    for (const file of files) log(`✓ loaded ${(await provider.loadImage(file)).join(', ')}`);
    return 0;
  },
  kubeconfig: async (provider) => {
    console.log(await provider.kubeconfigPath());
    return 0;
  },
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof Error && error.cause instanceof Error) console.error(`  because: ${error.cause.message}`);
  if (usage) console.error('`npm run cluster -- --help` lists what there is');
  process.exitCode = usage ? 2 : 1;
}
