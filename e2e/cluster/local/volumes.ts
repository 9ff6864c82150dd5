import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { NODE_NAME } from './layout.ts';

export const PROVISIONER = 'hftengine.io/local-path';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';

const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  annotations: z.record(z.string(), z.string()).optional(),
  deletionTimestamp: z.string().optional(),
});
export const claimSchema = z.object({
  metadata,
  spec: z.object({
    storageClassName: z.string().optional(),
    volumeName: z.string().optional(),
    volumeMode: z.string().optional(),
    accessModes: z.array(z.string()),
    resources: z.object({ requests: z.record(z.string(), z.string()).optional() }).optional(),
  }),
});
export const volumeSchema = z.object({
  metadata,
  spec: z.object({
    persistentVolumeReclaimPolicy: z.string().optional(),
    local: z.object({ path: z.string() }).optional(),
  }),
  status: z.object({ phase: z.string().optional() }).optional(),
});
export const classSchema = z.object({
  metadata: z.object({ name: z.string() }),
  provisioner: z.string(),
  reclaimPolicy: z.string().optional(),
  volumeBindingMode: z.string().optional(),
});
export type Claim = z.infer<typeof claimSchema>;
export type Volume = z.infer<typeof volumeSchema>;
export type StorageClass = z.infer<typeof classSchema>;

export interface VolumePlan {
  /** PersistentVolumes to create, each over a fresh folder at `spec.local.path`. */
  readonly create: readonly (Volume & { readonly apiVersion: string; readonly kind: string })[];
  /** Released volumes whose policy is Delete: their folder goes, then they. */
  readonly remove: readonly Volume[];
}

/** What to do so that every claim of our classes has a volume and no deleted claim keeps one. Pure. */
export function planVolumes(
  root: string,
  state: { claims: readonly Claim[]; volumes: readonly Volume[]; classes: readonly StorageClass[] },
): VolumePlan {
  const classes = new Map(state.classes.filter((entry) => entry.provisioner === PROVISIONER).map((entry) => [entry.metadata.name, entry]));
  const present = new Set(state.volumes.map((volume) => volume.metadata.name));
  const create = state.claims.flatMap((claim) => {
    const storageClass = classes.get(claim.spec.storageClassName ?? '');
    const name = `pvc-${claim.metadata.uid}`;
    if (!storageClass || claim.spec.volumeName || claim.metadata.deletionTimestamp || present.has(name)) return [];
    if (claim.spec.volumeMode === 'Block') return [];
    const waits = storageClass.volumeBindingMode === 'WaitForFirstConsumer';
    if (waits && claim.metadata.annotations?.[SELECTED_NODE] !== NODE_NAME) return [];
    return [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name, uid: '', annotations: { [PROVISIONED_BY]: PROVISIONER } },
        spec: {
          capacity: { storage: claim.spec.resources?.requests?.['storage'] ?? '1Gi' },
          accessModes: claim.spec.accessModes,
          persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
          storageClassName: storageClass.metadata.name,
          volumeMode: 'Filesystem',
          claimRef: {
            apiVersion: 'v1',
            kind: 'PersistentVolumeClaim',
            name: claim.metadata.name,
            namespace: claim.metadata.namespace,
            uid: claim.metadata.uid,
          },
          local: { path: join(root, `${name}_${claim.metadata.namespace}_${claim.metadata.name}`) },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [NODE_NAME] }] }],
            },
          },
        },
      },
    ];
  });
  const remove = state.volumes.filter(
    (volume) =>
      volume.metadata.annotations?.[PROVISIONED_BY] === PROVISIONER &&
      volume.status?.phase === 'Released' &&
      volume.spec.persistentVolumeReclaimPolicy === 'Delete' &&
      volume.spec.local?.path.startsWith(`${root}/`),
  );
  return { create, remove };
}

/** Every pod's user must be able to write, as with the local-path provisioner that kind brings. */
export async function createFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o777);
}

export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
