import type { Log } from './progress.ts';

export type ProviderName = 'kind' | 'local' | 'current';

/** What `status` found; `parts` are the lines to show a person. */
export interface ClusterStatus {
  readonly provider: ProviderName;
  readonly name: string;
  /** Not there at all, there but not working, or its API server and a node are ready. */
  readonly state: 'absent' | 'broken' | 'ready';
  /** `v1.34.4`, when the API server answers. */
  readonly version?: string;
  readonly parts: readonly { readonly name: string; readonly state: string; readonly detail: string }[];
}

/** One way to have a cluster. Every method may be called from a fresh process. */
export interface ClusterProvider {
  readonly name: ProviderName;
  /** Makes the cluster ready for pods; quick when it is already. */
  up(log: Log): Promise<void>;
  /** Removes the cluster with all its data. The user's own (`current`) is left alone. */
  down(log: Log): Promise<void>;
  status(): Promise<ClusterStatus>;
  /** Makes the images of a docker-archive usable by pods under the names in it; returns these. */
  loadImage(archivePath: string): Promise<string[]>;
  /** A kubeconfig of an administrator, whose current context is this cluster. */
  kubeconfigPath(): Promise<string>;
  kubectlPath(): Promise<string>;
  /** Ends the API server abruptly and waits until it is ready again. `current` refuses. */
  restartApiServer(options?: { downForMs?: number }): Promise<void>;
}

export interface ProviderOptions {
  /** Default: chosen by `chooseProvider`. */
  readonly provider?: ProviderName | undefined;
  /** Name of the cluster, default `hftengine`. */
  readonly name?: string | undefined;
  /** kind only: the node image. */
  readonly nodeImage?: string | undefined;
  /** `current` only: the context, default the kubeconfig's own. */
  readonly context?: string | undefined;
  /** Told what is built or why a provider was not chosen. */
  readonly log?: Log | undefined;
}
