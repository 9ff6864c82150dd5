/** The operator as a Helm chart: the same objects, with the image from the values and the namespace from the release. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Yaml } from 'cdk8s';
import { OPERATOR_NAME } from '../charts/names.ts';
import { operatorObjects } from '../charts/operator.ts';
import { customResourceDefinition } from '../crds/crd.ts';

/**
 * Path (relative to the chart) and text of each file of the Helm chart. The namespace is the release's, so none is made here: give it the
 * label `pod-security.kubernetes.io/enforce: restricted` yourself. Helm installs the folder `crds/` once and never upgrades it; apply a newer
 * CRD by hand before `helm upgrade`.
 */
export function helmFiles(version: string, image = 'hft-operator:dev'): { path: string; content: string }[] {
  const objects = operatorObjects({ image: '{{ .Values.image }}', namespace: '{{ .Release.Namespace }}' });
  const chart = {
    apiVersion: 'v2',
    name: OPERATOR_NAME,
    description: 'Operator of HFTEngine resources: low-latency order servers on Kubernetes',
    type: 'application',
    version,
    appVersion: version,
    kubeVersion: '>=1.29.0-0',
  };
  return [
    { path: 'Chart.yaml', content: Yaml.stringify(chart) },
    { path: 'values.yaml', content: `# Image of the operator.\n${Yaml.stringify({ image })}` },
    { path: 'crds/hftengines.yaml', content: Yaml.stringify(customResourceDefinition()) },
    { path: 'templates/operator.yaml', content: Yaml.stringify(...objects.filter(({ kind }) => kind !== 'Namespace')) },
  ];
}

/** Writes the Helm chart into `directory`. */
export function writeHelmChart(directory: string, version: string, image?: string): void {
  for (const { path, content } of helmFiles(version, image)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
}
