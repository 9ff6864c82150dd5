/**
 * The certificate of the engine: read at the start and again when its files change, and put under every server that speaks TLS. A client certificate lets a
 * connection be made and no more: who sends is what its token says.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSecureContext, type Server, type TlsOptions, type TLSSocket } from 'node:tls';
import type { TlsFilesConfig } from '../../crds/engine-config.ts';
import { ConfigError } from '../config/config.ts';
import { watchFiles } from '../config/watch-files.ts';

/** Of TLS 1.2: forward secrecy and authenticated encryption only. Those of TLS 1.3 are all of that kind. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
/** A client that does not finish its part by then is cut. */
export const HANDSHAKE_TIMEOUT_MS = 5000;

interface TlsLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** What the files hold: no key material is ever told. */
interface Material {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

export class Certificates {
  readonly #config: TlsFilesConfig;
  readonly #log: TlsLog;
  readonly #servers = new Set<Server>();
  readonly #stop: () => void;
  #material: Material;
  #expiresAtMs: number;
  /** What was judged last: the texts, or why there were none. */
  #seen: string;
  #failure: string | undefined;
  /** Changes that were taken, and those that were refused: the certificate from before stays in service. */
  readonly reloads = { taken: 0, refused: 0 };

  /** Throws ConfigError when the files cannot be used now. Files beside the journal, in `dataDirectory`, are looked at now and then only. */
  constructor(config: TlsFilesConfig, { dataDirectory, log }: { dataDirectory: string; log: TlsLog }) {
    this.#config = config;
    this.#log = log;
    this.#material = readMaterial(config);
    this.#expiresAtMs = expiryOf(this.#material, config);
    this.#seen = JSON.stringify(this.#material);
    // There is nothing better to serve, and an engine that does not start helps nobody.
    if (this.#expiresAtMs <= Date.now()) this.#failure = expired(config, this.#expiresAtMs);
    const files = [config.certFile, config.keyFile, ...(config.clientCaFile === undefined ? [] : [config.clientCaFile])];
    const isQuiet = files.every((file) => resolve(dirname(file)) !== resolve(dataDirectory));
    this.#stop = watchFiles(files, () => this.#look(), isQuiet);
  }

  /** When the certificate in service ends, in milliseconds since 1970. */
  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  /** Why the files are not in service as they are; undefined when nothing is wrong. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** What a server is made with. `protocols`: those that it speaks above TLS, by their ALPN names. */
  options(protocols: readonly string[]): TlsOptions {
    return {
      ...this.#context(),
      requestCert: this.#clientAuth !== 'none',
      // Under `request` none need be shown, but one that is must be good: see serve.
      rejectUnauthorized: this.#clientAuth === 'require',
      ALPNProtocols: [...protocols],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    };
  }

  /** Gives `server`, made with {@link options}, every later certificate. Connections that are open keep theirs. */
  serve(server: Server): void {
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    if (this.#clientAuth === 'request')
      server.prependListener('secureConnection', (socket: TLSSocket) => {
        if (!socket.authorized && socket.getPeerX509Certificate() !== undefined) socket.destroy();
      });
  }

  stop(): void {
    this.#stop();
  }

  get #clientAuth(): NonNullable<TlsFilesConfig['clientAuth']> {
    return clientAuthOf(this.#config);
  }

  #context(): TlsOptions {
    return contextOf(this.#material, this.#config);
  }

  #look(): void {
    let seen: string;
    let material: Material | undefined;
    let fault: ConfigError | undefined;
    try {
      material = readMaterial(this.#config);
      seen = JSON.stringify(material);
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      fault = cause;
      seen = cause.message;
    }
    if (seen === this.#seen) return;
    this.#seen = seen;
    try {
      if (fault !== undefined || material === undefined) throw fault ?? new ConfigError('no certificate');
      const expiresAtMs = expiryOf(material, this.#config);
      if (expiresAtMs <= Date.now()) throw new ConfigError(expired(this.#config, expiresAtMs));
      this.#take(material, expiresAtMs);
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      this.reloads.refused += 1;
      this.#failure = cause.message;
      this.#log.warn({ reason: cause.message }, 'the changed certificate is not taken: the one from before stays in service');
    }
  }

  #take(material: Material, expiresAtMs: number): void {
    this.#material = material;
    this.#expiresAtMs = expiresAtMs;
    this.#failure = undefined;
    for (const server of this.#servers) server.setSecureContext(this.#context());
    this.reloads.taken += 1;
    this.#log.info({ expiresAt: new Date(expiresAtMs).toISOString() }, 'another certificate is in service');
  }
}

function clientAuthOf({ clientAuth, clientCaFile }: TlsFilesConfig): NonNullable<TlsFilesConfig['clientAuth']> {
  return clientAuth ?? (clientCaFile === undefined ? 'none' : 'require');
}

function contextOf({ cert, key, ca }: Material, config: TlsFilesConfig): TlsOptions {
  return {
    cert,
    key,
    // Without it Node accepts whoever a public authority knows.
    ...(clientAuthOf(config) !== 'none' && { ca: ca ?? [] }),
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
  };
}

function readMaterial(config: TlsFilesConfig): Material {
  const { certFile, keyFile, clientCaFile } = config;
  const material: Material = {
    cert: textOf(certFile, 'tls.certFile'),
    key: textOf(keyFile, 'tls.keyFile'),
    ca: clientCaFile === undefined ? undefined : textOf(clientCaFile, 'tls.clientCaFile'),
  };
  return material;
}

/** Checks everything that a server would find out with its first client. Throws ConfigError; no message holds what the files hold. */
function expiryOf(material: Material, config: TlsFilesConfig): number {
  const { certFile, keyFile, clientCaFile } = config;
  const certificate = certificateOf(material.cert, certFile);
  if (material.ca !== undefined && clientCaFile !== undefined) certificateOf(material.ca, clientCaFile);
  let key;
  try {
    key = createPrivateKey(material.key);
  } catch {
    throw new ConfigError(`${keyFile}: holds no private key in PEM without a pass phrase: give the key of ${certFile}`);
  }
  if (!certificate.checkPrivateKey(key))
    throw new ConfigError(`${keyFile}: is not the key of ${certFile}: give the two that belong together`);
  try {
    createSecureContext(contextOf(material, config));
  } catch (cause) {
    throw new ConfigError(`${certFile}: cannot be served (${cause instanceof Error ? cause.message : String(cause)}): make it anew`);
  }
  return certificate.validToDate.getTime();
}

function certificateOf(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new ConfigError(`${file}: holds no certificate in PEM: give one that begins with -----BEGIN CERTIFICATE-----`);
  }
}

function expired({ certFile }: TlsFilesConfig, expiresAtMs: number): string {
  return `${certFile}: ended on ${new Date(expiresAtMs).toISOString()}: renew it`;
}

function textOf(file: string, key: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`${key}: ${file} cannot be read (${cause instanceof Error ? cause.message : String(cause)}): give its path`);
  }
}
