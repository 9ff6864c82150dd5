import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { controlPlanePrograms, findOnPath } from './binaries.ts';
import { ensureAuthority, ensureLeaf, ensureSigningKey, keyPair, type LeafRequest } from './certificates.ts';
import { apiServerArguments, etcdArguments } from './control-plane-arguments.ts';
import { ensureDebianPackages } from './debian.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type Log } from './progress.ts';
import { eventually } from '../wait.ts';

const PREFIX = 'hft-api-';

/**
 * A real kube-apiserver with etcd and nothing else: no controllers, no kubelet, so Deployments make no pods, deleted
 * namespaces never go, owners' deletion collects nothing, and pods get no service account token.
 */
export interface ApiOnly extends AsyncDisposable {
  /** `https://127.0.0.1:PORT`; stays the same over restarts. */
  readonly url: string;
  /** Kubeconfig of a cluster administrator. */
  readonly kubeconfigPath: string;
  /** PEM certificate of the CA that signed the server and all clients. */
  readonly caPath: string;
  /** Folder with the logs `etcd.log` and `kube-apiserver.log`; removed by `stop`. */
  readonly directory: string;
  /** Writes a kubeconfig whose client certificate says `user` and `groups`; RBAC decides what it may do. */
  kubeconfigFor(identity: { user: string; groups?: readonly string[] }): Promise<string>;
  /** The same for the identity of a ServiceAccount (user and groups as Kubernetes derives them from its token). */
  kubeconfigForServiceAccount(account: { namespace: string; name: string }): Promise<string>;
  /** Ends the API server (default SIGKILL: open watches are reset) and waits until it is gone. */
  stopApiServer(options?: { signal?: 'SIGKILL' | 'SIGTERM' }): Promise<void>;
  /** Starts the API server on its old port and waits until it is ready. */
  startApiServer(): Promise<void>;
  /** `stopApiServer`, `downForMs` of refused connections (default 0), `startApiServer`. */
  restartApiServer(options?: { downForMs?: number; signal?: 'SIGKILL' | 'SIGTERM' }): Promise<void>;
  /** Freezes the API server: connections stay open and nothing answers. */
  suspendApiServer(): void;
  resumeApiServer(): void;
  /** Ends both processes and removes the folder. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts etcd and kube-apiserver on free loopback ports, with TLS and RBAC, and resolves when `/readyz` is ok (about 4 s;
 * the very first call builds the binaries, which takes minutes). The processes die with the thread that called.
 */
export async function startApiServer(options: { log?: Log } = {}): Promise<ApiOnly> {
  const log = options.log ?? (() => {});
  if (process.platform !== 'linux') throw new Error('The API-only mode needs Linux (it ties its processes to their parent)');
  const programs = await controlPlanePrograms(log);
  if (!(await findOnPath('etcd'))) await ensureDebianPackages(['etcd-server'], log);
  await removeAbandoned();
  for (let attempt = 1; ; attempt += 1) {
    const server = new Server(await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`)), programs['kube-apiserver']);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      // A free port may be taken by another process before ours binds it.
      if (attempt === 3 || !String(error).includes('address already in use')) throw error;
    }
  }
}

class Server implements ApiOnly {
  url = '';
  readonly directory: string;
  readonly #program: string;
  #etcd: ChildProcess | undefined;
  #api: ChildProcess | undefined;
  #apiArguments: string[] = [];
  #users = 0;

  constructor(directory: string, program: string) {
    this.directory = directory;
    this.#program = program;
  }

  get kubeconfigPath(): string {
    return join(this.directory, 'admin.kubeconfig');
  }

  get caPath(): string {
    return this.#authority.certificatePath;
  }

  get #authority() {
    return keyPair(this.directory, 'ca');
  }

  async start(): Promise<void> {
    const [apiPort, clientPort, peerPort] = await freePorts();
    this.url = `https://127.0.0.1:${apiPort}`;
    const etcdAuthority = keyPair(this.directory, 'etcd-ca');
    const etcdPair = keyPair(this.directory, 'etcd');
    const serving = keyPair(this.directory, 'kube-apiserver');
    const signingKey = join(this.directory, 'service-accounts.key');
    await Promise.all([ensureAuthority(etcdAuthority, 'etcd-ca'), ensureAuthority(this.#authority, 'kubernetes')]);
    const hosts = ['localhost', '127.0.0.1'];
    await Promise.all([
      ensureLeaf(etcdPair, etcdAuthority, { user: 'etcd', hosts, client: true }),
      ensureLeaf(serving, this.#authority, { user: 'kube-apiserver', hosts: [...hosts, 'kubernetes.default.svc', '10.203.2.1'] }),
      ensureSigningKey(signingKey, `${signingKey}.pub`),
      this.#writeKubeconfig(this.kubeconfigPath, 'admin', { user: 'kubernetes-admin', groups: ['system:masters'] }),
    ]);
    this.#etcd = this.#spawn('etcd', (await findOnPath('etcd')) ?? 'etcd', [
      ...etcdArguments({
        dataDirectory: join(this.directory, 'etcd'),
        clientPort,
        peerPort,
        serving: etcdPair,
        authorityPath: etcdAuthority.certificatePath,
      }),
    ]);
    this.#apiArguments = apiServerArguments({
      address: '127.0.0.1',
      port: apiPort,
      serviceRange: '10.203.2.0/24',
      serving,
      clientAuthorityPath: this.caPath,
      serviceAccountKeyPath: signingKey,
      serviceAccountPublicKeyPath: `${signingKey}.pub`,
      etcd: { url: `https://127.0.0.1:${clientPort}`, authorityPath: etcdAuthority.certificatePath, client: etcdPair },
    });
    await this.startApiServer();
  }

  async startApiServer(): Promise<void> {
    const api = this.#spawn('kube-apiserver', this.#program, this.#apiArguments);
    this.#api = api;
    const agent = new Agent({ connect: { ca: await readFile(this.caPath) } });
    try {
      await eventually(
        'kube-apiserver',
        async () => {
          if (hasEnded(api) || hasEnded(this.#etcd)) return 'ended' as const;
          const answer = await fetch(`${this.url}/readyz`, { dispatcher: agent, signal: AbortSignal.timeout(2_000) });
          return answer.ok && ('ready' as const);
        },
        { timeoutMs: 60_000, everyMs: 50, hint: () => this.#logs() },
      ).then(async (state) => {
        if (state === 'ended') throw new Error(`etcd or kube-apiserver ended while starting\n${await this.#logs()}`);
      });
    } finally {
      await agent.destroy();
    }
  }

  async stopApiServer(options: { signal?: 'SIGKILL' | 'SIGTERM' } = {}): Promise<void> {
    await end(this.#api, options.signal ?? 'SIGKILL');
  }

  async restartApiServer(options: { downForMs?: number; signal?: 'SIGKILL' | 'SIGTERM' } = {}): Promise<void> {
    await this.stopApiServer(options);
    await new Promise((resolve) => setTimeout(resolve, options.downForMs ?? 0));
    await this.startApiServer();
  }

  suspendApiServer(): void {
    this.#api?.kill('SIGSTOP');
  }

  resumeApiServer(): void {
    this.#api?.kill('SIGCONT');
  }

  async kubeconfigFor(identity: { user: string; groups?: readonly string[] }): Promise<string> {
    this.#users += 1;
    const name = `user-${this.#users}`;
    const path = join(this.directory, `${name}.kubeconfig`);
    await this.#writeKubeconfig(path, name, identity);
    return path;
  }

  async kubeconfigForServiceAccount(account: { namespace: string; name: string }): Promise<string> {
    return this.kubeconfigFor({
      user: `system:serviceaccount:${account.namespace}:${account.name}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`],
    });
  }

  async stop(): Promise<void> {
    await Promise.all([end(this.#api, 'SIGKILL'), end(this.#etcd, 'SIGKILL')]);
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #writeKubeconfig(path: string, name: string, identity: LeafRequest): Promise<void> {
    const client = keyPair(this.directory, name);
    await ensureLeaf(client, this.#authority, identity);
    await writeKubeconfig(path, { name: 'api-only', server: this.url, authorityPath: this.caPath, client });
  }

  /** setpriv has the kernel kill the process when the thread that started it is gone, however that went. */
  #spawn(name: string, program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    try {
      return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { stdio: ['ignore', log, log], cwd: this.directory });
    } finally {
      closeSync(log);
    }
  }

  async #logs(): Promise<string> {
    const tails = ['etcd', 'kube-apiserver'].map(async (name) => {
      const text = await readFile(join(this.directory, `${name}.log`), 'utf8').catch(() => '');
      return `--- ${name}.log\n${text.split('\n').slice(-15).join('\n')}`;
    });
    return (await Promise.all(tails)).join('\n');
  }
}

function hasEnded(child: ChildProcess | undefined): boolean {
  return child !== undefined && (child.exitCode !== null || child.signalCode !== null);
}

async function end(child: ChildProcess | undefined, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (!child?.pid || hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  child.kill('SIGCONT');
  const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(force);
}

async function freePorts(): Promise<[number, number, number]> {
  // All are held open together, so that the three differ.
  const servers = await Promise.all(
    [0, 1, 2].map(async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no TCP port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [ports[0] ?? 0, ports[1] ?? 0, ports[2] ?? 0];
}

/** Removes the folders of processes that were killed before they could. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split('-')[0] : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}
