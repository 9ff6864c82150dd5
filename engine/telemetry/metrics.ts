/** The engine's figures in Prometheus' text format. The hot path only adds to plain numbers; they are put into metrics when scraped. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { BUY, SELL } from '../core/types.ts';
import { VERSION } from '../config/version.ts';
import type { Access } from '../access/access.ts';
import type { AuditTrail } from '../access/audit-trail.ts';
import type { Certificates } from '../access/tls.ts';
import type { Engine } from '../service/engine.ts';
import type { Breaker } from '../protection/breaker.ts';
import { histogramText } from './exposition.ts';
import type { MarketDataFigures } from '../marketdata/figures.ts';
import { marketDataMetrics } from './market-data-metrics.ts';
import { poolMetrics } from './pool-metrics.ts';
import { runtimeMetrics } from './runtime-metrics.ts';

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

const PHASES = ['recovering', 'warming', 'serving', 'draining'] as const;

export function createMetrics(
  engine: Engine,
  access: Access,
  trail: AuditTrail,
  {
    marketData,
    certificates,
  }: { readonly marketData?: MarketDataFigures | undefined; readonly certificates?: Certificates | undefined } = {},
): Metrics {
  const register = new Registry();
  register.setDefaultLabels({ engine: engine.config.engine });
  // Process, heap and event loop lag under their usual names (process_…, nodejs_…).
  collectDefaultMetrics({ register });
  // It counts only the first of the collections that it is told of together, and nothing under a millisecond: ours has the name.
  register.removeSingleMetric('nodejs_gc_duration_seconds');
  const { stats } = engine;
  const breakers = [engine.admission.journal, engine.admission.views];
  // Registered by hand rather than by their constructors, so that what `new` makes is seen to be used.
  const registers: Registry[] = [];

  const counter = (name: string, help: string, read: () => number): void => {
    register.registerMetric(
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      }),
    );
  };
  const gauge = (name: string, help: string, read: () => number): void => {
    register.registerMetric(
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      }),
    );
  };

  counter('hft_orders_accepted_total', 'Orders that were accepted and made durable.', () => stats.ordersAccepted);
  counter('hft_cancels_total', 'Orders that were cancelled on request.', () => stats.cancels);
  counter('hft_fills_total', 'Fills.', () => stats.fills);
  counter('hft_journal_commits_total', 'Group commits.', () => stats.commits);
  register.registerMetric(
    new Counter({
      name: 'hft_orders_rejected_total',
      help: 'Order requests that were refused, by code.',
      labelNames: ['code'],
      registers,
      collect() {
        this.reset();
        for (const [code, count] of stats.rejectedByCode) this.inc({ code }, count);
      },
    }),
  );
  if (marketData !== undefined) marketDataMetrics(marketData, () => engine.sequence, { counter, gauge });
  gauge('hft_sequence', 'Last durable sequence.', () => engine.sequence);
  gauge('hft_open_orders', 'Resting orders.', () => engine.openOrders);
  gauge('hft_journal_bytes', 'Size of the journal on disk, write-ahead log included.', () => engine.journalBytes());
  gauge('hft_journal_blocked', '1 while the journal cannot be written and orders are refused.', () =>
    engine.blocked === undefined ? 0 : 1,
  );
  gauge('hft_orders_per_second', 'Accepted orders a second, mean of the last five seconds.', () => stats.ordersPerSecond());
  gauge('hft_keys', 'Keys that tokens may be signed with.', () => access.figures.keys);
  gauge('hft_known_tokens', 'Tokens that are known and need not be verified again.', () => access.figures.knownTokens);
  register.registerMetric(
    new Counter({
      name: 'hft_key_reloads_total',
      help: 'Changes of the key file, by what became of them.',
      labelNames: ['result'],
      registers,
      collect() {
        this.reset();
        for (const [result, count] of Object.entries(access.figures.reloads)) this.inc({ result }, count);
      },
    }),
  );
  register.registerMetric(
    new Counter({
      name: 'hft_audit_entries_total',
      help: 'Admin actions, by what became of their entry in the audit log; passed: refusals beyond what is recorded of one user.',
      labelNames: ['result'],
      registers,
      collect() {
        this.reset();
        for (const [result, count] of Object.entries(trail.figures)) this.inc({ result }, count);
      },
    }),
  );
  if (certificates !== undefined) {
    gauge(
      'hft_tls_certificate_expiry_seconds',
      'Until the certificate in service ends; negative when it has ended.',
      () => (certificates.expiresAtMs - Date.now()) / 1000,
    );
    register.registerMetric(
      new Counter({
        name: 'hft_tls_reloads_total',
        help: 'Changes of the certificate files, by what became of them; after one that was refused the certificate from before is in service.',
        labelNames: ['result'],
        registers,
        collect() {
          this.reset();
          for (const [result, count] of Object.entries(certificates.reloads)) this.inc({ result }, count);
        },
      }),
    );
  }
  register.registerMetric(
    new Gauge({
      name: 'hft_breaker_state',
      help: 'Circuit breakers: 0 closed, 1 open, 2 trying.',
      labelNames: ['breaker'],
      registers,
      collect() {
        for (const { name, state } of breakers) this.set({ breaker: name }, state);
      },
    }),
  );
  const ofBreakers = (name: string, help: string, read: (breaker: Breaker) => number): void => {
    register.registerMetric(
      new Counter({
        name,
        help,
        labelNames: ['breaker'],
        registers,
        collect() {
          this.reset();
          for (const breaker of breakers) this.inc({ breaker: breaker.name }, read(breaker));
        },
      }),
    );
  };
  ofBreakers('hft_breaker_opens_total', 'How often a circuit breaker has opened.', ({ opens }) => opens);
  ofBreakers('hft_breaker_refused_total', 'What an open circuit breaker has refused.', ({ refused }) => refused);
  register.registerMetric(
    new Counter({
      name: 'hft_shed_total',
      help: 'New orders and queries that were refused because of the load.',
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset();
        for (const [kind, count] of Object.entries(engine.admission.shed)) this.inc({ kind }, count);
      },
    }),
  );
  gauge('hft_standing_delay_seconds', 'Shortest lateness of the last turns of the event loop.', () => engine.admission.delayMs / 1e3);
  counter(
    'hft_unread_tokens_total',
    'Tokens that were not looked at: too many of their address were not accepted.',
    () => access.failedTokens.refused,
  );
  counter('hft_config_reloads_total', 'Changes of the configuration that were taken over.', () => engine.live.reloads);
  counter('hft_config_reload_failures_total', 'Changes of the configuration that were refused.', () => engine.live.failures);
  register.registerMetric(
    new Gauge({
      name: 'hft_build_info',
      help: 'The version that runs.',
      labelNames: ['version', 'config_hash'],
      registers,
      collect() {
        this.reset();
        this.set({ version: VERSION, config_hash: engine.configHash }, 1);
      },
    }),
  );
  register.registerMetric(
    new Gauge({
      name: 'hft_phase',
      help: '1 for the phase that the engine is in.',
      labelNames: ['phase'],
      registers,
      collect() {
        for (const phase of PHASES) this.set({ phase }, engine.phase === phase ? 1 : 0);
      },
    }),
  );
  register.registerMetric(
    new Gauge({
      name: 'hft_book_orders',
      help: 'Resting orders of an instrument.',
      labelNames: ['symbol'],
      registers,
      collect() {
        for (const { symbol, book } of engine.booksNow()) this.set({ symbol }, book.openOrders);
      },
    }),
  );
  register.registerMetric(
    new Gauge({
      name: 'hft_book_best_price',
      help: 'Best price of a side; absent while it is empty.',
      labelNames: ['symbol', 'side'],
      registers,
      collect() {
        this.reset();
        for (const { symbol, book, instrument } of engine.booksNow()) {
          for (const [side, name] of [
            [BUY, 'bid'],
            [SELL, 'ask'],
          ] as const) {
            const ticks = book.bestTicks(side);
            if (ticks > 0) this.set({ symbol, side: name }, Number(instrument.tick.format(ticks)));
          }
        }
      },
    }),
  );
  const labels = { engine: engine.config.engine };
  const text = async (): Promise<string> =>
    [
      await register.metrics(),
      histogramText('hft_match_seconds', 'Time to match one command in the core.', [{ labels, histogram: stats.matchSeconds }]),
      histogramText('hft_order_seconds', 'Time from the arrival of an order request to its reply.', [
        { labels, histogram: stats.orderSeconds },
      ]),
      histogramText('hft_frame_seconds', 'Time from the arrival of an order frame until its answer is queued for its socket.', [
        { labels, histogram: stats.frameSeconds },
      ]),
      histogramText('hft_http_processing_seconds', 'Time from the parsed body of an order request over HTTP to its queued reply.', [
        { labels, histogram: stats.processingSeconds },
      ]),
      histogramText('hft_journal_commit_seconds', 'Time of one group commit.', [{ labels, histogram: stats.commitSeconds }]),
      histogramText('hft_journal_batch_commands', 'Commands in one group commit.', [{ labels, histogram: stats.batchCommands }]),
      poolMetrics(engine.pools(), labels),
      runtimeMetrics(labels),
    ].join('');
  return { contentType: register.contentType, text };
}
