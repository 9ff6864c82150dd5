import { describe, expect, it } from 'vitest';
import { NODE_NAME } from './layout.ts';
import { planVolumes, PROVISIONER, type Claim, type StorageClass, type Volume } from './volumes.ts';

const standard: StorageClass = {
  metadata: { name: 'standard' },
  provisioner: PROVISIONER,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
};
const claim = (changes: Partial<Claim['spec']> = {}, metadata: Partial<Claim['metadata']> = {}): Claim => ({
  metadata: { name: 'data', namespace: 'n', uid: 'u1', annotations: { 'volume.kubernetes.io/selected-node': NODE_NAME }, ...metadata },
  spec: { storageClassName: 'standard', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } }, ...changes },
});
const volume = (changes: Partial<Volume['spec']> = {}, phase = 'Released', by = PROVISIONER): Volume => ({
  metadata: { name: 'pvc-u0', uid: 'v0', annotations: { 'pv.kubernetes.io/provisioned-by': by } },
  spec: { persistentVolumeReclaimPolicy: 'Delete', local: { path: '/v/pvc-u0_n_x' }, ...changes },
  status: { phase },
});
const plan = (state: { claims?: Claim[]; volumes?: Volume[]; classes?: StorageClass[] }) =>
  planVolumes('/v', { claims: [], volumes: [], classes: [standard], ...state });

describe('volume provisioner', () => {
  it('makes a volume that is bound to its claim and to this node', () => {
    const [made] = plan({ claims: [claim()] }).create;
    expect(made).toMatchObject({
      kind: 'PersistentVolume',
      metadata: { name: 'pvc-u1' },
      spec: {
        capacity: { storage: '2Gi' },
        persistentVolumeReclaimPolicy: 'Delete',
        claimRef: { namespace: 'n', name: 'data', uid: 'u1' },
        local: { path: '/v/pvc-u1_n_data' },
      },
    });
  });

  it('honours the class: policy, and whether to wait for a pod', () => {
    const unscheduled = claim({}, { annotations: {} });
    expect(plan({ claims: [unscheduled] }).create).toEqual([]);
    const immediate = { ...standard, volumeBindingMode: 'Immediate', reclaimPolicy: 'Retain' };
    expect(plan({ claims: [unscheduled], classes: [immediate] }).create[0]?.spec.persistentVolumeReclaimPolicy).toBe('Retain');
  });

  it.each([
    ['of another class', claim({ storageClassName: 'fast' })],
    ['without a class', claim({ storageClassName: '' })],
    ['that has a volume', claim({ volumeName: 'mine' })],
    ['that is being deleted', claim({}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['for a raw device', claim({ volumeMode: 'Block' })],
    ['for another node', claim({}, { annotations: { 'volume.kubernetes.io/selected-node': 'other' } })],
  ])('leaves a claim alone %s', (_why, entry) => {
    expect(plan({ claims: [entry] }).create).toEqual([]);
  });

  it('leaves the class of another provisioner alone, and makes nothing twice', () => {
    expect(plan({ claims: [claim()], classes: [{ ...standard, provisioner: 'other' }] }).create).toEqual([]);
    const made = { ...volume({}, 'Available'), metadata: { name: 'pvc-u1', uid: 'v1' } };
    expect(plan({ claims: [claim()], volumes: [made] }).create).toEqual([]);
  });

  it('removes a released volume, unless it is to be kept, is in use, is not ours or is elsewhere', () => {
    expect(plan({ volumes: [volume()] }).remove).toHaveLength(1);
    expect(plan({ volumes: [volume({ persistentVolumeReclaimPolicy: 'Retain' })] }).remove).toEqual([]);
    expect(plan({ volumes: [volume({}, 'Bound')] }).remove).toEqual([]);
    expect(plan({ volumes: [volume({}, 'Released', 'other')] }).remove).toEqual([]);
    expect(plan({ volumes: [volume({ local: { path: '/etc' } })] }).remove).toEqual([]);
  });
});
