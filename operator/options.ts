/** Command line and environment of the operator: flags win over environment, environment over defaults. */
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { z } from 'zod';

export const HELP = `hft-operator: watches HFTEngine resources and makes the cluster match them

usage: node operator/main.ts [OPTION ...]

  --kubeconfig FILE        credentials; default: the pod's service account, $KUBECONFIG, ~/.kube/config
  --watch-namespace NAME   watch one namespace only; default: all
  --namespace NAME         namespace of the Lease and of the operator itself  (POD_NAMESPACE; default hft-system)
  --identity NAME          this process's name in the Lease                   (POD_NAME; default the host's name and the process id)
  --port N                 /metrics, /healthz, /livez, /readyz                (HFT_OPERATOR_PORT; default 8080; 0 takes a free one)
  --host ADDRESS           address to listen on                               (default 0.0.0.0)
  --workers N              engines reconciled at once                         (default 4)
  --lease-seconds N        how long a silent leader keeps the Lease           (default 15; renewed at a third of it)
  --log-level LEVEL        fatal, error, warn, info, debug or trace           (HFT_LOG_LEVEL; default info)
  --help                   this text`;

const optionsSchema = z.object({
  kubeconfig: z.string().min(1).optional(),
  watchNamespace: z.string().min(1).max(63).optional(),
  namespace: z.string().min(1).max(63).default('hft-system'),
  identity: z.string().min(1).max(253),
  port: z.coerce.number().int().min(0).max(65_535).default(8080),
  host: z.string().min(1).default('0.0.0.0'),
  workers: z.coerce.number().int().min(1).max(64).default(4),
  leaseSeconds: z.coerce.number().int().min(3).max(600).default(15),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
});
export type OperatorOptions = z.output<typeof optionsSchema>;

/** Thrown for options that cannot be used; the message names the option and what it takes. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError';
}

/** The options of this process, or 'help' when help was asked for. Throws {@link OptionsError}. */
export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): OperatorOptions | 'help' {
  const string = { type: 'string' } as const;
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        kubeconfig: string,
        'watch-namespace': string,
        namespace: string,
        identity: string,
        port: string,
        host: string,
        workers: string,
        'lease-seconds': string,
        'log-level': string,
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new OptionsError(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
  if (values.help === true) return 'help';
  const parsed = optionsSchema.safeParse({
    kubeconfig: values.kubeconfig,
    watchNamespace: values['watch-namespace'],
    namespace: values.namespace ?? env.POD_NAMESPACE,
    identity: values.identity ?? env.POD_NAME ?? `${hostname()}-${process.pid}`,
    port: values.port ?? env.HFT_OPERATOR_PORT,
    host: values.host,
    workers: values.workers,
    leaseSeconds: values['lease-seconds'],
    logLevel: values['log-level'] ?? env.HFT_LOG_LEVEL,
  });
  if (parsed.success) return parsed.data;
  throw new OptionsError(parsed.error.issues.map(({ path, message }) => `option ${path.join('.')}: ${message}`).join('\n'));
}
