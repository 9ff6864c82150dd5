/** A Deployment, and what the API server makes of it. */
/** A Deployment as it is wanted. */
export const DESIRED = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
  spec: {
    replicas: 1,
    strategy: { type: 'Recreate' },
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [
          {
            name: 'main',
            image: 'web:1',
            args: ['--port', '80'],
            env: [
              { name: 'A', value: '1' },
              { name: 'EMPTY', value: '' },
            ],
            ports: [{ name: 'http', containerPort: 80 }],
            resources: { limits: { cpu: '1000m', memory: '1024Mi' }, requests: { cpu: 1, memory: '1Gi' } },
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        volumes: [{ name: 'data', emptyDir: {} }],
      },
    },
  },
};

/** As the API server returns it: defaults filled in, numbers rewritten. */
export function liveCopy(): typeof DESIRED & Record<string, unknown> {
  const live = structuredClone(DESIRED);
  const container = live.spec.template.spec.containers[0];
  if (!container) throw new Error('no container');
  Object.assign(live.metadata, { uid: 'u', resourceVersion: '1', annotations: { 'deployment.kubernetes.io/revision': '1' } });
  Object.assign(live.spec, { progressDeadlineSeconds: 600, revisionHistoryLimit: 10 });
  Object.assign(live.spec.template.spec, { restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', securityContext: {} });
  Object.assign(container, { imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/termination-log' });
  Object.assign(container.ports[0] ?? {}, { protocol: 'TCP' });
  container.resources.limits = { cpu: '1', memory: '1Gi' };
  Object.assign(container.resources.requests, { cpu: '1' });
  container.env = [{ name: 'A', value: '1' }, { name: 'EMPTY' } as { name: string; value: string }];
  return live;
}

export type Editable = ReturnType<typeof liveCopy>;
export const container = (live: Editable): (typeof DESIRED.spec.template.spec.containers)[number] => {
  const first = live.spec.template.spec.containers[0];
  if (!first) throw new Error('no container');
  return first;
};
