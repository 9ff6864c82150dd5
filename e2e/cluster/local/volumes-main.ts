import { readFile } from 'node:fs/promises';
import { Agent, fetch } from 'undici';
import { parse } from 'yaml';
import { z } from 'zod';
import { claimSchema, classSchema, createFolder, planVolumes, removeFolder, volumeSchema } from './volumes.ts';

// The local cluster's volume provisioner: `volumes-main.ts KUBECONFIG FOLDER`. It looks twice a second, because the lists
// are short and the API server's cache answers them; there is no watch to go deaf.

const EVERY_MS = 500;
const REQUEST_TIMEOUT_MS = 10_000;
const kubeconfigSchema = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.string() }) })]),
  users: z.tuple([z.object({ user: z.object({ 'client-certificate-data': z.string(), 'client-key-data': z.string() }) })]),
});

const [kubeconfigPath, root] = process.argv.slice(2);
if (!kubeconfigPath || !root) {
  console.error('usage: volumes-main.ts KUBECONFIG FOLDER');
  process.exit(2);
}
const kubeconfig = kubeconfigSchema.parse(parse(await readFile(kubeconfigPath, 'utf8')));
const { cluster } = kubeconfig.clusters[0];
const { user } = kubeconfig.users[0];
const decode = (text: string) => Buffer.from(text, 'base64').toString();
const dispatcher = new Agent({
  connect: {
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  },
});

async function request(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${cluster.server}${path}`, {
    method,
    dispatcher,
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    headers: { 'user-agent': 'hftengine-volumes', 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  // Already there, or already gone: what was wanted.
  if (!answer.ok && answer.status !== 409 && !(method === 'DELETE' && answer.status === 404)) {
    throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
  }
  return JSON.parse(text);
}

async function list<T>(path: string, schema: z.ZodType<T>): Promise<T[]> {
  return z.object({ items: z.array(schema) }).parse(await request('GET', `${path}?resourceVersion=0`)).items;
}

const VOLUMES = '/api/v1/persistentvolumes';

async function pass(folder: string): Promise<void> {
  const [claims, volumes, classes] = await Promise.all([
    list('/api/v1/persistentvolumeclaims', claimSchema),
    list(VOLUMES, volumeSchema),
    list('/apis/storage.k8s.io/v1/storageclasses', classSchema),
  ]);
  const plan = planVolumes(folder, { claims, volumes, classes });
  for (const volume of plan.create) {
    await createFolder(volume.spec.local?.path ?? '');
    await request('POST', VOLUMES, { ...volume, metadata: { ...volume.metadata, uid: undefined } });
    console.log(`${new Date().toISOString()} created ${volume.metadata.name}`);
  }
  for (const volume of plan.remove) {
    await removeFolder(volume.spec.local?.path ?? '');
    await request('DELETE', `${VOLUMES}/${volume.metadata.name}`);
    console.log(`${new Date().toISOString()} deleted ${volume.metadata.name}`);
  }
}

let lastError = '';
for (;;) {
  try {
    await pass(root);
    lastError = '';
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
    const text = `${String(error)}${cause}`;
    // Say it once, not twice a second, while the API server is away.
    if (text !== lastError) console.error(`${new Date().toISOString()} ${text}`);
    lastError = text;
  }
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}
