/** The cdk8s app: what is installed, and the samples beside it. */
import { join } from 'node:path';
import { ApiObject, App, Chart } from 'cdk8s';
import { OperatorChart, type OperatorObjectsInput } from '../charts/operator.ts';
import { customResourceDefinition } from '../crds/crd.ts';
import { DemoChart } from './samples.ts';

/** The install manifests into `outdir`: the CRD, then the operator, as numbered files that `kubectl apply -f outdir` takes in order. */
export function installApp(outdir: string, operator: OperatorObjectsInput = {}): App {
  const app = new App({ outdir });
  const crd = new ApiObject(new Chart(app, 'crd'), 'hftengines', { ...customResourceDefinition() });
  new OperatorChart(app, 'operator', operator).addDependency(crd);
  return app;
}

/**
 * Resources to try it with, into `outdir`/samples: kubectl does not descend into folders, so that the install does not include them (the API
 * server would not know the kind yet).
 */
export function samplesApp(outdir: string, engineImage?: string): App {
  const app = new App({ outdir: join(outdir, 'samples') });
  return App.of(new DemoChart(app, 'demo', engineImage));
}
