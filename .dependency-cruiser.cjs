/** The import directions of the house: what may know what. `npm run check` fails on a violation. */
const only = (from, allowed, comment) => ({
  name: `${from.replace(/[^a-z]+/g, '-').replace(/^-|-$/g, '')}-imports`,
  comment,
  severity: 'error',
  from: { path: from, pathNot: '\\.(test|prop)\\.ts$' },
  to: { path: '^(crds|charts|cdk8s|operator|engine|e2e|images|\\.ci)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    only('^crds/', '^crds/', 'crds is the bottom: it knows no other part'),
    only('^charts/', '^(charts|crds)/', 'charts are pure functions of the resource'),
    only('^cdk8s/', '^(cdk8s|charts|crds)/', 'the cdk8s app only arranges charts'),
    only('^engine/core/', '^engine/core/', 'the core is pure: it imports nothing outside itself'),
    only('^engine/client/', '^(engine/client|engine/core|crds)/', 'the client stands apart from the server'),
    only('^engine/', '^(engine|crds)/', 'the engine knows nothing of Kubernetes'),
    only('^operator/kube/', '^operator/kube/', 'the runtime knows nothing of HFTEngine'),
    only('^operator/', '^(operator|charts|crds|engine/client)/', 'the operator reaches the engine only through its client'),
    only('^images/', '^(images|engine|operator|crds)/', 'images bundle the two programs'),
    {
      name: 'core-has-no-packages',
      comment: 'the core does no I/O and depends on no package',
      severity: 'error',
      from: { path: '^engine/core/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional'] },
    },
    { name: 'no-cycles', comment: 'a cycle has no bottom', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', comment: 'every import resolves', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-packages-in-product',
      comment: 'the product ships without development packages',
      severity: 'error',
      from: { path: '^(crds|charts|operator|engine)/', pathNot: '\\.(test|prop|test-support)\\.ts$|/(bench|prove)/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'no-test-support-in-product',
      comment: 'what tests need is for tests',
      severity: 'error',
      from: { pathNot: '\\.(test|prop|test-support)\\.ts$' },
      to: { path: '\\.test-support\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|build|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
