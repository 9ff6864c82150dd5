/**
 * What an operator does for those who come in: keys that are replaced in time while an engine takes orders, keys that somebody has spoilt, and certificates
 * that are not there. Against a real API server, without a kubelet: the test brings the Secret to the engine.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseJwks, type Jwk } from '../../engine/access/keys.ts';
import { signToken } from '../../engine/access/sign.ts';
import { OrderClient } from '../../engine/client/orders.ts';
import { DEFAULT_CONFIG } from '../../engine/config/config.ts';
import { runEngine } from '../../engine/service/process.ts';
import { judgeTls } from '../../operator/engine/tls.ts';
import { loadClient, type KubeClient } from '../../operator/kube/client.ts';
import { resources } from '../../operator/kube/resource.ts';
import { startApiServer, type ApiOnly } from '../cluster/api-only.ts';
import { ensureAuthority, ensureLeaf, keyPair } from '../cluster/certificates.ts';
import { changeSpec, engineObject, engines, ensureNamespace, installRights, type EngineObject } from '../support/install.ts';
import { startOperator, type OperatorProcess } from '../support/operator-process.ts';
import { eventually } from '../wait.ts';

const NAMESPACE = 'trading';
let server: ApiOnly;
let admin: KubeClient;
let operator: OperatorProcess;
let directory: string;

const start = async (): Promise<OperatorProcess> =>
  await startOperator({
    kubeconfigPath: await server.kubeconfigForServiceAccount({ namespace: 'hft-system', name: 'hft-operator' }),
    namespace: 'hft-system',
    leaseSeconds: 3,
  });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hft-operator-access-'));
  server = await startApiServer();
  admin = loadClient({ kubeconfigPath: server.kubeconfigPath });
  await installRights(admin);
  await ensureNamespace(admin, NAMESPACE);
  operator = await start();
});
afterAll(async () => {
  await operator?.kill('SIGTERM');
  await admin?.close();
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const ref = (name: string) => ({ name, namespace: NAMESPACE });
const statusOf = async (name: string) => (await admin.get(engines, ref(name))).status;
const degraded = async (name: string) => (await statusOf(name))?.conditions?.find(({ type }) => type === 'Degraded');
const deploymentOf = async (name: string) => await admin.find(resources.deployments, ref(`${name}-engine`));

async function secretText(name: string, key: string): Promise<string> {
  const secret = await admin.get(resources.secrets, ref(`${name}-keys`));
  return Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
}
const signingKeys = async (name: string): Promise<Jwk[]> => parseJwks(await secretText(name, 'signing-keys.json'), 'the Secret');
const tokenOf = async (key: Jwk): Promise<string> =>
  await signToken(key, { engine: 'rotating', subject: 'desk', roles: ['trader'], accounts: 'all', lifetimeMs: 600_000 });

test('keys take each other’s place while orders are taken: none is refused before its time', { timeout: 120_000 }, async () => {
  await admin.create(engines, engineObject('rotating', NAMESPACE, { auth: { rotateEvery: '12s', overlap: '5s' } }) as EngineObject);
  const [first] = await eventually('the Secret is made', async () => await signingKeys('rotating'));
  if (first === undefined) throw new Error('no key');
  // A kubelet brings a Secret by a swap in a directory that nothing else writes to.
  const keysFile = join(directory, 'keys', 'keys.json');
  mkdirSync(join(directory, 'keys'));
  const bring = async (): Promise<void> => {
    writeFileSync(`${keysFile}.new`, await secretText('rotating', 'keys.json'));
    renameSync(`${keysFile}.new`, keysFile);
  };
  await bring();
  expect(readFileSync(keysFile, 'utf8')).not.toContain('"d"');
  const engine = await runEngine({
    config: {
      ...DEFAULT_CONFIG,
      engine: 'rotating',
      journal: { durability: 'memory' },
      observability: { dashboard: false, logLevel: 'fatal' },
    },
    dataDirectory: join(directory, 'data'),
    host: '127.0.0.1',
    port: 0,
    opsPort: 0,
    grpcPort: 0,
    adminToken: 'a'.repeat(43),
    keysFile,
    onFatal: (cause) => {
      throw cause;
    },
  });
  await engine.started;
  const baseUrl = `http://127.0.0.1:${engine.port}`;
  const outcome = async (key: Jwk): Promise<string> => {
    const client = new OrderClient({ baseUrl, token: await tokenOf(key) });
    const order = { symbol: 'BTC-USD', account: 'desk', side: 'buy', type: 'limit', price: '1', quantity: '1' } as const;
    const said = await client.place(order).then(
      () => 'placed',
      (cause: unknown) => String(Reflect.get(cause as object, 'code')),
    );
    await client.close();
    return said;
  };
  const signed = new Set<string>();
  const refused: string[] = [];
  const untilMs = Date.now() + 60_000;
  while (signed.size < 3 && Date.now() < untilMs) {
    // Whoever makes tokens takes the first key; the pod has the Secret a while later.
    const [current] = await signingKeys('rotating');
    if (current === undefined) throw new Error('no key');
    signed.add(current.kid);
    if ((await outcome(current)) !== 'placed') refused.push(current.kid);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await bring();
  }
  expect(signed.size).toBe(3);
  expect(refused).toEqual([]);
  // The first is out by now, at the engine too.
  await eventually('tokens of the first key are refused', async () => {
    await bring();
    return (await outcome(first)) === 'HFT_UNAUTHORIZED';
  });
  await engine.stop();

  const keys = await eventually('the status tells of the keys that are stored', async () => {
    const told = (await statusOf('rotating'))?.keys;
    const stored = (await signingKeys('rotating')).map(({ kid }) => kid);
    return told !== undefined && told.valid.map(({ id }) => id).join() === stored.join() && told;
  });
  expect(keys.signing).toBe(keys.valid[0]?.id);
  const aheadMs = Date.parse(keys.nextRotation) - Date.now();
  expect(aheadMs).toBeGreaterThan(-2000);
  expect(aheadMs).toBeLessThan(13_000);
  const status = JSON.stringify((await statusOf('rotating')) ?? {});
  for (const key of await signingKeys('rotating')) if (key.alg === 'EdDSA') expect(status).not.toContain(key.d);
  const { items } = await admin.list(resources.events, { namespace: NAMESPACE });
  const notes = items.filter(({ regarding }) => regarding?.name === 'rotating');
  expect(notes.find(({ reason }) => reason === 'KeysRotated')?.note).toMatch(
    /^tokens are signed with the key [0-9a-f]{16} now; [0-9a-f]{16} stays valid until 2/,
  );
  expect(notes.filter(({ reason }) => reason === 'Repaired')).toEqual([]);
  await admin.delete(engines, ref('rotating'));
});

test('keys that somebody has spoilt are left as they are, and the status says what is wrong', { timeout: 60_000 }, async () => {
  await admin.create(engines, engineObject('edited', NAMESPACE) as EngineObject);
  const good = await eventually('the Secret is made', async () => await secretText('edited', 'signing-keys.json'));
  await eventually('the keys are told', async () => (await statusOf('edited'))?.keys);
  // While nobody looks: a running operator puts the Secret right at once.
  await operator.kill('SIGTERM');
  const edited = good.replace(/"d": "..../, '"d": "');
  const put = async (text: string): Promise<void> => {
    const data = { 'signing-keys.json': Buffer.from(text).toString('base64') };
    await admin.patch(resources.secrets, ref('edited-keys'), { data }, { type: 'merge', fieldManager: 'somebody' });
  };
  await put(edited);
  operator = await start();
  const told = await eventually('it is told', async () => {
    const condition = await degraded('edited');
    return condition?.reason === 'SigningKeysInvalid' && condition;
  });
  expect(told.message).toMatch(
    /^the Secret edited-keys has been edited .* keys\[0\]\.d: must be 32 bytes .*; correct it, or remove that entry/,
  );
  expect(await secretText('edited', 'signing-keys.json')).toBe(edited);
  await put(good);
  await eventually('it is put right', async () => (await degraded('edited'))?.status === 'False');
  expect(await secretText('edited', 'signing-keys.json')).toBe(good);
});

test('a certificate that is not there stops nothing that runs, and says what to do', { timeout: 90_000 }, async () => {
  const authority = keyPair(directory, 'ca');
  await ensureAuthority(authority, 'authority of a test');
  for (const name of ['one', 'two']) await ensureLeaf(keyPair(directory, name), authority, { user: name, hosts: ['demo.example'] });
  const base64 = (file: string): string => readFileSync(join(directory, file)).toString('base64');
  const secretOf = (crt: string, key: string, ca?: string) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: ref('demo-tls'),
    data: { 'tls.crt': base64(crt), 'tls.key': base64(key), ...(ca !== undefined && { 'ca.crt': base64(ca) }) },
  });
  const message = async (part: RegExp): Promise<string> =>
    await eventually(`Degraded says ${part.source}`, async () => {
      const condition = await degraded('demo');
      return condition?.status === 'True' && part.test(condition.message) && condition.reason;
    });

  const { data } = secretOf('one.crt', 'one.key');
  const judged = (now: Date) => judgeTls({ secretName: 'demo-tls', clientAuth: 'none' }, data, undefined, now);
  expect(judged(new Date())).toBeUndefined();
  expect(judged(new Date('2100-01-01'))).toMatchObject({
    reason: 'CertificateInvalid',
    message: expect.stringMatching(/ended on 20.*: renew it/) as string,
  });

  await admin.create(engines, engineObject('demo', NAMESPACE) as EngineObject);
  const before = await eventually('the Deployment is made', async () => await deploymentOf('demo'));
  await changeSpec(admin, ref('demo'), { tls: { secretName: 'demo-tls' } });
  expect(await message(/there is no Secret demo-tls .*kubectl create secret tls demo-tls/)).toBe('CertificateMissing');
  expect((await deploymentOf('demo'))?.spec).toEqual(before.spec);
  expect(await statusOf('demo')).toMatchObject({ plan: { class: 'refused', changes: [{ field: 'spec.tls', class: 'refused' }] } });

  await admin.create(resources.secrets, secretOf('one.crt', 'two.key'));
  expect(await message(/tls\.key of the Secret demo-tls is not the key of its tls\.crt/)).toBe('CertificateInvalid');
  expect((await deploymentOf('demo'))?.spec).toEqual(before.spec);

  await admin.patch(
    resources.secrets,
    ref('demo-tls'),
    { data: secretOf('two.crt', 'two.key').data },
    { type: 'merge', fieldManager: 'test' },
  );
  const after = await eventually('it is rolled out', async () => {
    const deployment = await deploymentOf('demo');
    return deployment?.spec?.template.spec?.volumes?.some(({ name }) => name === 'tls') === true && deployment;
  });
  expect(after.spec?.template.spec?.containers[0]?.readinessProbe?.httpGet).toMatchObject({ scheme: 'HTTPS', port: 'orders' });
  expect(await statusOf('demo')).toMatchObject({ endpoints: { orders: 'https://demo-engine.trading.svc:8080' } });

  await changeSpec(admin, ref('demo'), { tls: { secretName: 'demo-tls', clientAuth: 'require' } });
  expect(await message(/the Secret demo-tls has no ca\.crt/)).toBe('CertificateMissing');
  await admin.patch(
    resources.secrets,
    ref('demo-tls'),
    { data: secretOf('two.crt', 'two.key', 'ca.crt').data },
    { type: 'merge', fieldManager: 'test' },
  );
  await eventually('client certificates are rolled out', async () => {
    const pod = (await deploymentOf('demo'))?.spec?.template.spec;
    const probe = pod?.containers[0]?.readinessProbe?.httpGet;
    return pod?.volumes?.some(({ name }) => name === 'client-ca') === true && probe?.port === 'operations' && probe.scheme === 'HTTP';
  });

  // An engine that has never run waits for its certificate in the same way.
  await admin.create(engines, engineObject('waiting', NAMESPACE, { tls: { secretName: 'waiting-tls' } }) as EngineObject);
  await eventually('it waits', async () => (await degraded('waiting'))?.reason === 'CertificateMissing');
  expect(await deploymentOf('waiting')).toBeUndefined();
});
