/** An engine inside the test's own process, on free loopback ports, with a data directory of its own. */
import { rmSync } from 'node:fs';
import { keyFileOf } from '../access/key-file.ts';
import { localToken } from '../access/local-token.ts';
import type { EngineConfig } from '../../crds/engine-config.ts';
import { AdminClient } from '../client/admin.ts';
import { OrderClient } from '../client/orders.ts';
import type { ClientTls } from '../client/tls.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { runEngine, type RunningEngine } from '../service/process.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export const TEST_TOKEN = 'a-token-for-tests-only';

export interface LocalEngine extends AsyncDisposable {
  readonly running: RunningEngine;
  readonly baseUrl: string;
  readonly opsUrl: string;
  readonly dataDirectory: string;
  /** For every role and account; the client has it already. */
  readonly token: string;
  /** The header of {@link token}, for requests by hand. */
  readonly authorization: { readonly authorization: string };
  readonly orders: OrderClient;
  readonly admin: AdminClient;
}

/** Resolves when it serves. Disposing stops it, and removes the data directory unless one was given. */
export async function startLocalEngine(
  options: { config?: Partial<EngineConfig>; dataDirectory?: string; marketData?: boolean; tls?: ClientTls } = {},
): Promise<LocalEngine> {
  const dataDirectory = options.dataDirectory ?? temporaryDirectory();
  const running = await runEngine({
    config: { ...DEFAULT_CONFIG, observability: { dashboard: true, logLevel: 'fatal' }, ...options.config },
    dataDirectory,
    host: '127.0.0.1',
    port: 0,
    opsPort: 0,
    grpcPort: 0,
    marketDataPort: options.marketData === true ? 0 : undefined,
    marketDataGrpcPort: options.marketData === true ? 0 : undefined,
    adminToken: TEST_TOKEN,
    keysFile: keyFileOf(undefined, dataDirectory),
    onFatal: (cause) => {
      throw cause;
    },
  });
  const baseUrl = `${options.config?.tls === undefined ? 'http' : 'https'}://127.0.0.1:${running.port}`;
  const opsUrl = `http://127.0.0.1:${running.opsPort}`;
  const token = await localToken(dataDirectory, running.engine.config.engine);
  const orders = new OrderClient({ baseUrl, token, ...(options.tls !== undefined && { tls: options.tls }) });
  const admin = new AdminClient({ baseUrl: opsUrl, token: TEST_TOKEN });
  const stop = async (): Promise<void> => {
    await Promise.all([orders.close(), admin.close()]);
    await running.stop();
    if (options.dataDirectory === undefined) rmSync(dataDirectory, { recursive: true, force: true });
  };
  try {
    await running.started;
  } catch (cause) {
    await stop();
    throw cause;
  }
  const authorization = { authorization: `Bearer ${token}` };
  return { running, baseUrl, opsUrl, dataDirectory, token, authorization, orders, admin, [Symbol.asyncDispose]: stop };
}
