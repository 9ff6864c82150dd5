/** `npm run up`: a cluster, the operator, the sample engine, some trading, and where to look. Safe to run again. */
import { parseArgs } from 'node:util';
import { engineNames, OPERATIONS_PORT, ORDERS_PORT, SIGNING_KEYS_KEY } from '../charts/names.ts';
import { bringUp, step } from './bring-up.ts';
import { providerOf, PROVIDER_OPTIONS } from './options.ts';
import { OrderStream, percentile } from './order-stream.ts';
import { reach } from './reach.ts';
import { traderToken } from './token.ts';

const HELP = `npm run up -- [--provider kind|local|current] [--node-image IMAGE] [--context NAME] [--orders N]

Brings a cluster up (kind where a Docker engine answers and has a node image, else a local one made of the same programs), installs the
operator, applies the sample HFTEngine and trades on it. Safe to run again: what is there is kept.

  --orders N   orders to send to the sample engine (default 2000)

Then: npm run --silent kubectl -- get hft -A      npm run down`;

const NAMESPACE = 'trading';
const NAME = 'demo';
/** The default limit of an account is 10,000 a second; this keeps the trading to a few seconds anywhere. */
const DEFAULT_ORDERS = 2_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { ...PROVIDER_OPTIONS, orders: { type: 'string', default: String(DEFAULT_ORDERS) }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    console.log(HELP);
    return;
  }
  const orders = Number(values.orders);
  if (!Number.isSafeInteger(orders) || orders < 1) throw new Error(`--orders ${values.orders}: give a whole number of 1 or more`);
  const startedMs = performance.now();
  const provider = await providerOf(values);
  console.log(`provider: ${provider.name}`);
  const { kubectl, kubeconfigPath } = await bringUp(provider, console.log);

  await step(console.log, `HFTEngine ${NAMESPACE}/${NAME}`, async () => {
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', 'dist/samples/']);
    const wait = ['-n', NAMESPACE, 'wait', '--for=condition=Ready', `hft/${NAME}`, '--timeout=180s'];
    await kubectl(wait, { timeoutMs: 200_000 }).catch(async (cause: unknown) => {
      const message = 'jsonpath={.status.conditions[?(@.type=="Degraded")].message}';
      const told = await kubectl(['-n', NAMESPACE, 'get', 'hft', NAME, '-o', message]);
      throw new Error(`the engine does not serve: ${told}; see npm run --silent kubectl -- -n ${NAMESPACE} describe hft ${NAME}`, {
        cause,
      });
    });
  });

  const kubectlPath = await provider.kubectlPath();
  const service = engineNames(NAME).ordersService;
  await using reached = await reach({
    kubectl,
    kubectlPath,
    kubeconfigPath,
    namespace: NAMESPACE,
    service,
    port: ORDERS_PORT,
    direct: provider.name === 'local',
  });
  const token = await traderToken(kubectl, { name: NAME, namespace: NAMESPACE });
  const stream = new OrderStream({
    url: () => Promise.resolve(reached.url),
    token: () => Promise.resolve(token),
    symbol: 'BTC-USD',
    basePrice: 50_000,
    priceDigits: 2,
    quantity: '0.001',
    account: 'up',
    maxOrders: orders,
  });
  const report = await step(console.log, `trade ${orders} orders`, () => stream.start().finished());
  if (report.acknowledged === 0)
    throw new Error(
      `no order was acknowledged: ${JSON.stringify(report.refused)}; see npm run --silent kubectl -- -n ${NAMESPACE} describe hft ${NAME}`,
    );

  const pod = await kubectl([
    '-n',
    NAMESPACE,
    'get',
    'pods',
    '-l',
    `hftengine.io/engine=${NAME}`,
    '-o',
    'jsonpath={.items[0].metadata.name}',
  ]);
  const ready = await kubectl(['-n', NAMESPACE, 'get', 'hft', NAME, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}']);
  const refusals = Object.entries(report.refused).map(([code, count]) => `${count} ${code}`);
  const operations = engineNames(NAME).operationsService;
  const rows: readonly (readonly [string, string])[] = [
    ['resource', `HFTEngine ${NAMESPACE}/${NAME}`],
    ['pod', pod],
    ['Ready', ready],
    [
      'orders',
      `${report.acknowledged} acknowledged${refusals.length === 0 ? '' : `, refused: ${refusals.join(', ')}`}${report.unknown === 0 ? '' : `, ${report.unknown} unanswered`}`,
    ],
    ['fills', String(report.fills)],
    [
      'latency',
      `p50 ${percentile(report.latenciesMs, 0.5).toFixed(2)} ms, p99 ${percentile(report.latenciesMs, 0.99).toFixed(2)} ms, seen by the client over HTTP, 4 in flight, durability disk`,
    ],
    ['look', `npm run --silent kubectl -- get hft -A`],
    ['dashboard', `npm run --silent kubectl -- -n ${NAMESPACE} port-forward service/${operations} ${OPERATIONS_PORT}`],
    ['', `  then open http://127.0.0.1:${OPERATIONS_PORT}/dashboard`],
    ['order API', `npm run --silent kubectl -- -n ${NAMESPACE} port-forward service/${service} ${ORDERS_PORT}`],
    ['', `  then open http://127.0.0.1:${ORDERS_PORT}/docs`],
    [
      'token',
      `npm run --silent kubectl -- -n ${NAMESPACE} get secret ${engineNames(NAME).keysSecret} -o 'jsonpath={.data.${SIGNING_KEYS_KEY.replace('.', String.raw`\.`)}}' |`,
    ],
    ['', `  base64 -d | npm run --silent token -- --keys - --engine ${NAME} --role trader --header > auth`],
    ['', `  then curl -H @auth http://127.0.0.1:${ORDERS_PORT}/v1/instruments`],
    ['end it', 'npm run down'],
  ];
  console.log(`\nup in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s\n`);
  for (const [name, value] of rows) console.log(`  ${name.padEnd(10)} ${value}`);
}

try {
  await main();
} catch (error) {
  console.error(`up: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
