/** `npm run bench`: the benchmarks, each against a limit or a peer that is measured in the same run. */
import { parseArgs } from 'node:util';
import { setCompilerFlags } from '../compiler-flags.ts';
import { bookBytesPerOrder, bookCancelScaling, bookP99, bookThroughput } from './book-benchmarks.ts';
import { engineInProcess } from './engine-benchmarks.ts';
import { gcPauses } from './gc.ts';
import { generateWorkload } from './generate.ts';
import { grpcPool, grpcStream, grpcUnary } from './grpc.ts';
import { httpOrders, httpProcessing } from './http-benchmarks.ts';
import { fetchPeers, peersDirectory } from './fetch-peers.ts';
import { journalCommit, journalDisk, journalLatency } from './journal-benchmarks.ts';
import { marketDataFanout, marketDataSize } from './market-data.ts';
import { findPeers, type Peer } from './peers.ts';
import { pools } from './pools.ts';
import { table, type Comparison } from './report.ts';
import { encodeWorkload, readWorkload, Workload } from './workload.ts';
import { wsFrameToFrame, wsOrders, wsPacked, wsRoundTrip } from './ws-benchmarks.ts';

setCompilerFlags();

const NAMES = [
  'book.throughput',
  'book.p99',
  'book.bytes-per-order',
  'book.cancel-scaling',
  'journal.disk',
  'journal.commit',
  'journal.latency',
  'engine.in-process',
  'pools',
  'gc.pauses',
  'grpc.unary',
  'grpc.stream',
  'grpc.pool',
  'ws.orders',
  'ws.packed',
  'ws.round-trip',
  'ws.frame-to-frame',
  'http.orders',
  'http.processing',
  'marketdata.size',
  'marketdata.fanout',
] as const;

const HELP = `npm run bench [-- [OPTION ...] [NAME ...]]

Measures and prints a table: each figure beside a limit or a peer of the same run, as medians. NAMEs choose (all by default):
  ${NAMES.join('\n  ')}

  --json         one JSON object a line instead of the table
  --runs N       how often (5)
  --file FILE    a workload file instead of a generated one of 2,000,000 commands
  --commands N   another length of the generated one
  --no-peers     without the other books; otherwise nodejs-order-book (npm) and, where java and mvn are, exchange-core 0.5.3 (Maven) are
                 fetched once into the project's cache (HFT_CACHE_DIR, ~/.cache/hftengine) and measured in the same run`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '5' },
    file: { type: 'string' },
    commands: { type: 'string', default: '2000000' },
    peers: { type: 'boolean', default: true },
    help: { type: 'boolean', default: false },
  },
});

function workload(): Workload {
  if (values.file !== undefined) return readWorkload(values.file);
  return new Workload(encodeWorkload(generateWorkload({ commands: Number(values.commands), seed: 1, resting: 10_000 })));
}

async function peers(): Promise<Peer[]> {
  const directory = peersDirectory(process.env);
  await fetchPeers(directory, (line) => console.error(line));
  return await findPeers(directory);
}

async function measure(name: (typeof NAMES)[number], file: Workload, runs: number): Promise<Comparison[]> {
  switch (name) {
    case 'book.throughput':
      return bookThroughput(file, runs, values.peers ? await peers() : []);
    case 'book.p99':
      return bookP99(file, runs);
    case 'book.bytes-per-order':
      return bookBytesPerOrder(file);
    case 'book.cancel-scaling':
      return bookCancelScaling(runs);
    case 'journal.disk':
      return await journalDisk(runs);
    case 'journal.commit':
      return await journalCommit(runs);
    case 'journal.latency':
      return await journalLatency(runs);
    case 'engine.in-process':
      return await engineInProcess(file, runs);
    case 'pools':
      return await pools(runs);
    case 'gc.pauses':
      return await gcPauses(runs);
    case 'grpc.unary':
      return await grpcUnary(runs);
    case 'grpc.stream':
      return await grpcStream(runs);
    case 'grpc.pool':
      return await grpcPool(runs);
    case 'ws.orders':
      return await wsOrders(runs);
    case 'ws.packed':
      return await wsPacked(runs);
    case 'ws.round-trip':
      return await wsRoundTrip(runs);
    case 'ws.frame-to-frame':
      return await wsFrameToFrame(runs);
    case 'http.orders':
      return await httpOrders(runs);
    case 'http.processing':
      return await httpProcessing(runs);
    case 'marketdata.size':
      return await marketDataSize(runs);
    case 'marketdata.fanout':
      return await marketDataFanout(runs);
  }
}

const unknown = positionals.find((name) => !NAMES.some((known) => known === name));
const runs = Number(values.runs);
if (values.help) {
  console.log(HELP);
} else if (unknown !== undefined || !(runs >= 1)) {
  console.error(`${unknown === undefined ? `--runs must be 1 or more, not ${values.runs}` : `no such benchmark: ${unknown}`}\n\n${HELP}`);
  process.exitCode = 2;
} else {
  const file = workload();
  const all: Comparison[] = [];
  for (const name of NAMES.filter((known) => positionals.length === 0 || positionals.includes(known))) {
    console.error(`${name} ...`);
    const found = await measure(name, file, runs);
    all.push(...found);
    if (values.json) for (const comparison of found) console.log(JSON.stringify(comparison));
  }
  if (!values.json) console.log(table(all));
}
