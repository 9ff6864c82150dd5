/** Entry point of `cdk8s synth`. The cdk8s CLI names the output directory in CDK8S_OUTDIR. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeHelmChart } from './helm.ts';
import { installApp, samplesApp } from './install.ts';

const HELP = `Usage: cdk8s synth        (npm run synth)
       node cdk8s/main.ts [--operator-image IMAGE] [--engine-image IMAGE] [--namespace NAME]

Writes the manifests that install the operator to $CDK8S_OUTDIR (default: dist) and samples to its folder samples/:
  kubectl apply -f dist/            the CRD and the operator
  kubectl apply -f dist/samples/    a namespace and the HFTEngine "demo" in it
  helm install hft-operator dist/helm/hft-operator -n hft-system --create-namespace    the same install as a Helm chart

  --operator-image IMAGE   image of the operator (default: hft-operator:dev)
  --engine-image IMAGE     image in the sample (default: the CRD's, hft-engine:dev)
  --namespace NAME         namespace of the operator (default: hft-system)
  --help                   show this

Options through the cdk8s CLI: cdk8s synth --app "node cdk8s/main.ts --operator-image IMAGE"
`;

/** Version in package.json. Throws when there is none. */
function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest && typeof manifest.version === 'string')
    return manifest.version;
  throw new Error('package.json has no version');
}

/** Returns the exit code: 0, or 2 for a bad command line. */
function main(): number {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        'operator-image': { type: 'string' },
        'engine-image': { type: 'string' },
        namespace: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nSee node cdk8s/main.ts --help\n`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.namespace !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(values.namespace)) {
    process.stderr.write(`--namespace ${values.namespace}: use at most 63 lower-case letters, digits and dashes, for example hft-system\n`);
    return 2;
  }
  const outdir = process.env['CDK8S_OUTDIR'] ?? 'dist';
  installApp(outdir, { image: values['operator-image'], namespace: values.namespace }).synth();
  samplesApp(outdir, values['engine-image']).synth();
  writeHelmChart(join(outdir, 'helm/hft-operator'), packageVersion(), values['operator-image']);
  return 0;
}

process.exitCode = main();
