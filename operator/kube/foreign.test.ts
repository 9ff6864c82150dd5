import { describe, expect, it } from 'vitest';
import { DESIRED, container, liveCopy } from './deployment.test-support.ts';
import { foreignFields, takenParts } from './foreign.ts';

describe('foreign fields', () => {
  const entry = (manager: string, fieldsV1: object, extra: object = {}): object => ({ manager, operation: 'Update', fieldsV1, ...extra });
  const find = (live: object, managedFields: object[], desired: Record<string, unknown> = DESIRED): string[] =>
    foreignFields(desired, { ...live, metadata: { managedFields } }, 'ours').map(({ pointer }) => pointer);
  const inContainer = (fields: object): object => ({
    'f:spec': { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"main"}': fields } } } },
  });

  it('finds an environment variable that somebody added, at its place in the list', () => {
    const live = liveCopy();
    container(live).env.push({ name: 'HACK', value: '1' });
    const fields = inContainer({
      'f:env': { 'k:{"name":"HACK"}': { '.': {}, 'f:name': {}, 'f:value': {} }, 'k:{"name":"A"}': { 'f:value': {} } },
    });
    expect(find(live, [entry('kubectl-edit', fields)])).toEqual(['/spec/template/spec/containers/0/env/2']);
  });

  it('takes two added elements of a list from the end', () => {
    const live = liveCopy();
    container(live).env.push({ name: 'H1', value: '1' }, { name: 'H2', value: '2' });
    const fields = inContainer({ 'f:env': { 'k:{"name":"H1"}': { '.': {} }, 'k:{"name":"H2"}': { '.': {} } } });
    expect(find(live, [entry('kubectl-edit', fields)])).toEqual([
      '/spec/template/spec/containers/0/env/3',
      '/spec/template/spec/containers/0/env/2',
    ]);
  });

  it('finds an added field and an added structure, as a whole', () => {
    const live = liveCopy();
    Object.assign(live.spec.template.spec, { hostNetwork: true });
    Object.assign(container(live), { lifecycle: { preStop: { sleep: { seconds: 9 } } } });
    const fields = {
      'f:spec': {
        'f:template': {
          'f:spec': {
            'f:hostNetwork': {},
            'f:containers': { 'k:{"name":"main"}': { 'f:lifecycle': { '.': {}, 'f:preStop': { '.': {}, 'f:sleep': {} } } } },
          },
        },
      },
    };
    expect(find(live, [entry('kubectl-patch', fields)])).toEqual([
      '/spec/template/spec/hostNetwork',
      '/spec/template/spec/containers/0/lifecycle',
    ]);
  });

  it('leaves alone what we want too, our own fields, controllers, subresources, metadata and stale entries', () => {
    const live = liveCopy();
    const hack = { 'f:spec': { 'f:progressDeadlineSeconds': {} } };
    expect(
      find(live, [entry('kubectl', { 'f:spec': { 'f:replicas': {}, 'f:template': { 'f:metadata': { 'f:labels': { 'f:app': {} } } } } })]),
    ).toEqual([]);
    expect(find(live, [entry('ours', hack)])).toEqual([]);
    expect(find(live, [entry('kube-controller-manager', hack)])).toEqual([]);
    expect(find(live, [entry('kubectl', hack, { subresource: 'scale' })])).toEqual([]);
    expect(find(live, [entry('kubectl', { 'f:metadata': { 'f:labels': { 'f:x': {} } }, 'f:status': { 'f:replicas': {} } })])).toEqual([]);
    expect(find(live, [entry('kubectl', { 'f:spec': { 'f:paused': {} } })])).toEqual([]);
    Object.assign(live.spec.template.metadata, { annotations: { restartedAt: 'now' } });
    const restart = { 'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { '.': {}, 'f:restartedAt': {} } } } } };
    expect(find(live, [entry('kubectl-rollout', restart)])).toEqual([]);
    // and the same entry is found when it is somebody else's
    expect(find(live, [entry('kubectl', hack)])).toEqual(['/spec/progressDeadlineSeconds']);
  });

  it('finds keys of our ConfigMap that no manager claims, with their pointer escaped', () => {
    const desired = { kind: 'ConfigMap', metadata: {}, data: { a: '1' } };
    expect(find({ data: { a: '1', 'x/y~z': '2' } }, [], desired)).toEqual(['/data/x~1y~0z']);
  });

  describe('atomic parts', () => {
    const desired = { kind: 'NetworkPolicy', metadata: {}, spec: { ingress: [{ ports: [{ port: 80 }] }] } };
    const live = {
      kind: 'NetworkPolicy',
      metadata: {},
      spec: { ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80, protocol: 'TCP' }] }] },
    };
    const leaf = { 'f:spec': { 'f:ingress': {} } };
    const ours = (fieldsV1: object): object => ({ manager: 'ours', operation: 'Apply', fieldsV1 });
    const taken = (managedFields: object[], present: object = live): string[] =>
      takenParts(desired, { ...present, metadata: { managedFields } }, 'ours');

    it('that others changed and own now are found', () => {
      expect(taken([ours({ 'f:spec': {} }), entry('kubectl-edit', leaf)])).toEqual(['/spec/ingress was changed by kubectl-edit']);
      expect(taken([entry('kubectl-edit', leaf)])).toEqual(['/spec/ingress was changed by kubectl-edit']);
    });

    it('are left alone when we own them, alone or with others, or a controller or nobody does', () => {
      expect(taken([ours(leaf)])).toEqual([]);
      expect(taken([ours(leaf), entry('kubectl-edit', leaf)])).toEqual([]);
      expect(taken([entry('kube-controller-manager', leaf)])).toEqual([]);
      expect(taken([entry('kubectl', leaf, { subresource: 'status' })])).toEqual([]);
      expect(taken([])).toEqual([]);
    });

    it('are left alone when they hold just what is wanted, and to drift when they lack some of it', () => {
      expect(taken([entry('kubectl-edit', leaf)], { ...desired })).toEqual([]);
      expect(taken([entry('kubectl-edit', leaf)], { spec: { ingress: [{ ports: [{ port: 90 }] }] } })).toEqual([]);
    });

    it('of an element of a list that is merged by key are found in it', () => {
      const selected = {
        ...DESIRED,
        spec: { topologySpreadConstraints: [{ topologyKey: 'z', whenUnsatisfiable: 'x', spread: { a: '1' } }] },
      };
      const changed = {
        ...DESIRED,
        spec: { topologySpreadConstraints: [{ topologyKey: 'z', whenUnsatisfiable: 'x', spread: { a: '1', b: '2' } }] },
      };
      const key = 'k:{"topologyKey":"z","whenUnsatisfiable":"x"}';
      const fields = (below: object): object => ({ 'f:spec': { 'f:topologySpreadConstraints': { [key]: below } } });
      const find2 = (below: object): string[] =>
        takenParts(
          selected,
          { ...changed, metadata: { managedFields: [ours(fields(below)), entry('kubectl-edit', fields({ 'f:spread': {} }))] } },
          'ours',
        );
      expect(find2({ 'f:topologyKey': {} })).toEqual(['/spec/topologySpreadConstraints/0/spread was changed by kubectl-edit']);
      expect(find2({ 'f:spread': {} })).toEqual([]);
    });
  });

  it('does not touch sections that the manifest does not have', () => {
    const desired = { kind: 'ServiceAccount', metadata: {} };
    expect(find({ secrets: [{ name: 's' }] }, [entry('openshift', { 'f:secrets': { 'k:{"name":"s"}': { '.': {} } } })], desired)).toEqual(
      [],
    );
  });
});
