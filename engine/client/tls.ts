/** How a client speaks TLS to an engine: the same for HTTP, WebSocket and gRPC. */

/** PEM texts. Without `ca` the authorities that Node trusts are asked; `cert` and `key` are the client's own, for an engine that wants to see one. */
export interface ClientTls {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the certificate of the engine must have; default: that of the address. */
  readonly serverName?: string;
}

/** As Node's own TLS takes them. */
export function connectOptions({ ca, cert, key, serverName }: ClientTls): {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
} {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}
