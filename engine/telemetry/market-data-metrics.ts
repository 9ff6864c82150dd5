/** What the thread of market data has counted. */
import type { FigureName, MarketDataFigures } from '../marketdata/figures.ts';

type Add = (name: string, help: string, read: () => number) => void;

/** Adds them by `counter` and `gauge`. `durable`: last durable sequence. */
export function marketDataMetrics(
  figures: MarketDataFigures,
  durable: () => number,
  { counter, gauge }: { counter: Add; gauge: Add },
): void {
  const of = (name: FigureName) => (): number => figures.get(name);
  gauge('hft_market_data_connections', 'Connections to the market data port.', of('connections'));
  gauge('hft_market_data_subscriptions', 'Streams that are followed, each as often as it is.', of('subscriptions'));
  gauge('hft_market_data_lag', 'Durable commands that market data does not show yet; 0 while nobody follows any.', () =>
    figures.get('following') === 0 ? 0 : Math.max(0, durable() - figures.get('sequence')),
  );
  gauge(
    'hft_market_data_turn_seconds',
    'How long the last turn took that followed the journal and told everybody.',
    () => figures.get('turnMicros') / 1e6,
  );
  counter('hft_market_data_updates_total', 'Updates that were encoded.', of('updates'));
  counter('hft_market_data_sends_total', 'Updates that were given to subscribers, each as often as it was.', of('sends'));
  counter('hft_market_data_sent_bytes_total', 'Bytes of them, before compression.', of('sentBytes'));
  counter('hft_market_data_trades_total', 'Trades that were seen.', of('trades'));
  counter(
    'hft_market_data_conflations_total',
    'Times that a slow subscriber was passed over, to be told the state later.',
    of('conflations'),
  );
  counter('hft_market_data_gaps_total', 'Times that a subscriber was told of a gap.', of('gaps'));
  counter('hft_market_data_slow_closed_total', 'Connections that were closed because the client did not read.', of('slowClosed'));
}
