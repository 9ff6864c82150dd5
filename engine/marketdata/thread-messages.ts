/** What the thread of market data is started with, and what it and the engine's thread say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { TlsFilesConfig } from '../../crds/engine-config.ts';
import type { EntranceBounds } from './entrance.ts';
import type { FeedInstrument } from './gateway.ts';

export interface MarketDataThread {
  /** Name of the engine: tokens must be for it. */
  readonly engine: string;
  readonly keysFile: string;
  readonly dataDirectory: string;
  /** Both ports speak TLS, with these. */
  readonly tls: TlsFilesConfig | undefined;
  readonly bounds: EntranceBounds;
  readonly host: string;
  readonly listenPort: number;
  /** gRPC; undefined for none. */
  readonly grpcPort: number | undefined;
  readonly figures: SharedArrayBuffer;
  /** Where the thread records its pauses for garbage collection. */
  readonly gc: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** To the thread: what it serves, once the engine serves; other bounds; `null` ends it. */
export type ToMarketData = { readonly instruments: readonly FeedInstrument[] } | { readonly bounds: EntranceBounds } | null;

export type FromMarketData =
  | { readonly kind: 'listening'; readonly port: number; readonly grpcPort: number }
  /** A port cannot be had; the thread ends. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'warning'; readonly details: object; readonly message: string };
