import { describe, expect, it } from 'vitest';
import type { KubeObject } from './kube-object.ts';
import { OPERATOR_LABELS, operatorObjects } from './operator.ts';
import { LEASE_NAME } from './operator-rbac.ts';
import { podSpecs, restrictedViolations } from './pod-security.prop.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

const rulesOf = (objects: KubeObject[], kind: string): Rule[] =>
  objects.flatMap((object) => (object.kind === kind ? (object as KubeObject & { rules: Rule[] }).rules : []));

describe('operatorObjects', () => {
  it('comes in an order that can be applied, namespace first', () => {
    expect(operatorObjects().map(({ kind }) => kind)).toEqual([
      'Namespace',
      'ServiceAccount',
      'ClusterRole',
      'ClusterRoleBinding',
      'Role',
      'RoleBinding',
      'Service',
      'PodDisruptionBudget',
      'Deployment',
    ]);
  });

  it('is restricted, and so is its namespace', () => {
    const objects = operatorObjects();
    const pods = podSpecs(objects);
    expect(pods).toHaveLength(1);
    expect(pods.flatMap(restrictedViolations)).toEqual([]);
    expect(objects[0]?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  it('has no right by wildcard, none to escalate, and runs nothing in other pods', () => {
    const rules = [...rulesOf(operatorObjects(), 'ClusterRole'), ...rulesOf(operatorObjects(), 'Role')];
    expect(rules.length).toBeGreaterThan(8);
    for (const rule of rules) {
      const all = [...rule.apiGroups, ...rule.resources, ...rule.verbs];
      expect(all).not.toContain('*');
      for (const verb of ['escalate', 'bind', 'impersonate', 'deletecollection', 'approve', 'sign']) expect(rule.verbs).not.toContain(verb);
      for (const resource of rule.resources)
        expect(resource).not.toMatch(/^(pods|nodes|services)\/(exec|attach|proxy|portforward)$|^nodes$/);
    }
  });

  it('writes only its own Lease, and to pods only their status', () => {
    const objects = operatorObjects();
    const named = rulesOf(objects, 'Role').filter(({ verbs }) => !verbs.every((verb) => verb === 'create'));
    expect(named.map(({ resourceNames }) => resourceNames)).toEqual([[LEASE_NAME]]);
    const podVerbs = rulesOf(objects, 'ClusterRole').filter(({ resources }) => resources.includes('pods'));
    expect(podVerbs.flatMap(({ verbs }) => verbs).sort()).toEqual(['get', 'list', 'watch']);
  });

  it('follows the namespace and the image that it is given', () => {
    const objects = operatorObjects({ namespace: 'platform', image: 'registry.example/operator:1' });
    expect(JSON.stringify(objects)).not.toContain('hft-system');
    expect(objects[0]?.metadata.name).toBe('platform');
    const subjects = objects.flatMap((object) => (object as KubeObject & { subjects?: { namespace: string }[] }).subjects ?? []);
    expect(subjects.map(({ namespace }) => namespace)).toEqual(['platform', 'platform']);
    expect(podSpecs(objects)[0]?.containers[0]).toMatchObject({ image: 'registry.example/operator:1' });
  });

  it('selects operator pods by labels that no engine pod has', () => {
    const [pod] = operatorObjects().flatMap((object) =>
      object.kind === 'Deployment' ? [(object['spec'] as { template: { metadata: { labels: object } } }).template.metadata.labels] : [],
    );
    expect(pod).toMatchObject(OPERATOR_LABELS);
    expect(OPERATOR_LABELS['app.kubernetes.io/name']).not.toBe('hft-engine');
  });
});
