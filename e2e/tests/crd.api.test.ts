/** The CRD against a real kube-apiserver: what it accepts, what it refuses and in which words, and that zod agrees with it. */
import { readFile } from 'node:fs/promises';
import { KubeConfig } from '@kubernetes/client-node';
import * as fc from 'fast-check';
import { Agent, request as httpRequest } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { mutatedSpecs, specs } from '../../crds/arbitrary.prop.ts';
import { API_VERSION, KIND, PLURAL, specSchema } from '../../crds/hftengine.ts';
import { BAD_NAMES, BAD_SPECS, BTC, GOOD_SPECS, UPDATES } from '../../crds/samples.ts';
import { startApiServer, type ApiOnly } from '../cluster/api-only.ts';
import { eventually } from '../wait.ts';

const GROUP_PATH = `/apis/${API_VERSION}`;
const ENGINES = `${GROUP_PATH}/namespaces/default/${PLURAL}`;
const CRD_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/hftengines.hftengine.io';
const SHORTEST = { instruments: [BTC] };

const causeSchema = z.object({ field: z.string().default(''), message: z.string(), reason: z.string().optional() });
const failureSchema = z.object({
  kind: z.literal('Status'),
  message: z.string(),
  details: z.object({ causes: z.array(causeSchema).default([]) }).prefault({}),
});
const storedSchema = z.object({
  metadata: z.object({ name: z.string(), generation: z.int(), resourceVersion: z.string().optional() }),
  spec: z.record(z.string(), z.unknown()),
  status: z.record(z.string(), z.unknown()).optional(),
});

interface Answer {
  status: number;
  body: unknown;
}

let server: ApiOnly;
let agent: Agent;

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await httpRequest(`${server.url}${path}`, {
    method: method as 'GET',
    dispatcher: agent,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await answer.body.text();
  // Before the CRD is served, its paths answer in plain text.
  const isJson = String(answer.headers['content-type']).startsWith('application/json');
  return { status: answer.statusCode, body: isJson ? (JSON.parse(text) as unknown) : text };
}

function engine(spec: unknown, name = 'demo', more: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec, ...more };
}

/** What the API server says to a new HFTEngine; nothing is stored. */
function tryCreate(resource: unknown, fieldValidation: 'Strict' | 'Ignore' = 'Strict'): Promise<Answer> {
  return call('POST', `${ENGINES}?dryRun=All&fieldValidation=${fieldValidation}`, resource);
}

/** Status code and what was wrong where. */
function refusalOf(answer: Answer): { status: number; causes: { field: string; message: string }[] } {
  const failure = failureSchema.safeParse(answer.body);
  return { status: answer.status, causes: failure.data?.details.causes ?? [] };
}

/** Matches a {@link refusalOf} with this among what was wrong. */
function refused(field: string, message: string): unknown {
  const cause: unknown = expect.objectContaining({ field, message: expect.stringContaining(message) });
  return { status: 422, causes: expect.arrayContaining([cause]) };
}

async function create(name: string, spec: unknown): Promise<z.output<typeof storedSchema>> {
  const answer = await call('POST', ENGINES, engine(spec, name));
  expect(answer).toMatchObject({ status: 201 });
  return storedSchema.parse(answer.body);
}

beforeAll(async () => {
  server = await startApiServer();
  const config = new KubeConfig();
  config.loadFromFile(server.kubeconfigPath);
  const decoded = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString();
  const user = config.getCurrentUser();
  agent = new Agent({
    connect: { ca: decoded(config.getCurrentCluster()?.caData), cert: decoded(user?.certData), key: decoded(user?.keyData) },
  });
  const crd = await readFile(new URL('../../crds/hftengine.yaml', import.meta.url), 'utf8');
  const applied = await call('PATCH', `${CRD_PATH}?fieldManager=test&fieldValidation=Strict`, crd, {
    'content-type': 'application/apply-patch+yaml',
  });
  if (applied.status !== 201) throw new Error(`the CRD is refused: ${JSON.stringify(applied.body, null, 2)}`);
  await eventually('the API is served', async () => (await call('GET', ENGINES)).status === 200);
}, 600_000);

afterAll(async () => {
  await agent?.destroy();
  await server?.stop();
});

test('the definition is established, with nothing to complain of', async () => {
  const conditions = z.object({ status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }) });
  const { status } = conditions.parse((await call('GET', CRD_PATH)).body);
  expect(Object.fromEntries(status.conditions.map((condition) => [condition.type, condition.status]))).toEqual({
    NamesAccepted: 'True',
    Established: 'True',
  });
});

test('discovery has the names', async () => {
  const { body } = await call('GET', GROUP_PATH);
  expect(body).toMatchObject({
    resources: expect.arrayContaining([
      expect.objectContaining({ name: PLURAL, singularName: 'hftengine', shortNames: ['hft'], categories: ['trading'], namespaced: true }),
      expect.objectContaining({ name: `${PLURAL}/status` }),
    ]),
  });
});

describe('accepted', () => {
  test.each(GOOD_SPECS)('$name, with the defaults that zod gives', async ({ spec }) => {
    const answer = await tryCreate(engine(spec));
    expect(answer).toMatchObject({ status: 201 });
    expect(storedSchema.parse(answer.body).spec).toEqual(specSchema.parse(spec));
  });

  test('the longest name', async () => {
    expect(await tryCreate(engine(SHORTEST, 'a'.repeat(40)))).toMatchObject({ status: 201 });
  });
});

describe('refused', () => {
  test.each(BAD_SPECS)('$name', async ({ spec, field, message }) => {
    expect(refusalOf(await tryCreate(engine(spec)))).toEqual(refused(field, message));
  });

  test.each(BAD_NAMES)('a name $name', async ({ metadataName, message }) => {
    expect(refusalOf(await tryCreate(engine(SHORTEST, metadataName)))).toEqual(refused('metadata.name', message));
  });

  test('no spec', async () => {
    expect(refusalOf(await tryCreate({ apiVersion: API_VERSION, kind: KIND, metadata: { name: 'demo' } }))).toEqual(
      refused('spec', 'Required value'),
    );
  });

  test('several mistakes at once, each in its own words', async () => {
    const spec = {
      instruments: [{ ...BTC, symbol: 'btc' }],
      resources: { memory: '1GB' },
      auth: { overlap: '48h' },
      risk: { maxOrderQty: '0' },
    };
    const answer = await tryCreate(engine(spec));
    expect(refusalOf(answer)).toEqual(refused('spec.instruments[0].symbol', 'symbol must be upper-case'));
    expect(refusalOf(answer)).toEqual(refused('spec.resources.memory', 'memory must be a quantity'));
    expect(refusalOf(answer)).toEqual(refused('spec.auth.overlap', 'overlap must be shorter than rotateEvery'));
    expect(refusalOf(answer)).toEqual(refused('spec.risk.maxOrderQty', 'maxOrderQty must be a decimal greater than zero'));
    expect(failureSchema.parse(answer.body).message).not.toMatch(/no such overload|evaluat|in body should match/);
  });

  test.each([
    ['spec.colour', engine({ ...SHORTEST, colour: 'red' })],
    ['spec.risk.killswitch', engine({ ...SHORTEST, risk: { killswitch: true } })],
    ['spec.instruments[0].lotsize', engine({ instruments: [{ ...BTC, lotsize: '1' }] })],
    ['sepc', engine(SHORTEST, 'demo', { sepc: {} })],
  ])('unknown field %s, as kubectl asks for it', async (field, resource) => {
    const answer = await tryCreate(resource);
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining(`unknown field "${field}"`) } });
  });

  test('a field given twice', async () => {
    const twice = JSON.stringify(engine({ ...SHORTEST, deletionPolicy: 'Retain' })).replace(
      '"deletionPolicy":"Retain"',
      '"deletionPolicy":"Retain","deletionPolicy":"Delete"',
    );
    const answer = await call('POST', `${ENGINES}?dryRun=All&fieldValidation=Strict`, twice);
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('duplicate field "spec.deletionPolicy"') } });
  });
});

describe('a change', () => {
  test.each(UPDATES.flatMap(({ refused: refusal, ...update }, index) => (refusal === undefined ? [] : [{ ...update, ...refusal, index }])))(
    'refused: $name',
    async ({ from, to, field, message, index }) => {
      const { metadata } = await create(`refused-${index}`, from);
      const answer = await call('PUT', `${ENGINES}/${metadata.name}`, { ...engine(to), metadata });
      expect(refusalOf(answer)).toEqual(refused(field, message));
    },
  );

  test.each(UPDATES.flatMap(({ refused: refusal, ...update }, index) => (refusal === undefined ? [{ ...update, index }] : [])))(
    'accepted: $name',
    async ({ from, to, index }) => {
      const { metadata } = await create(`accepted-${index}`, from);
      const answer = await call('PUT', `${ENGINES}/${metadata.name}`, { ...engine(to), metadata });
      expect(answer).toMatchObject({ status: 200, body: { metadata: { generation: 2 } } });
      expect(storedSchema.parse(answer.body).spec).toEqual(specSchema.parse(to));
    },
  );
});

describe('status', () => {
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Serving',
    message: 'all is well',
    lastTransitionTime: '2026-01-02T03:04:05.678Z',
  };
  const applyStatus = (name: string, manager: string, status: unknown): Promise<Answer> =>
    call(
      'PATCH',
      `${ENGINES}/${name}/status?fieldManager=${manager}&fieldValidation=Strict`,
      { apiVersion: API_VERSION, kind: KIND, metadata: { name }, status },
      { 'content-type': 'application/apply-patch+yaml' },
    );

  test('does not come with the spec, nor the spec with it, and raises no generation', async () => {
    const answer = await call('POST', ENGINES, engine(SHORTEST, 'apart', { status: { sequence: 7 } }));
    expect(answer).toMatchObject({ status: 201, body: { metadata: { generation: 1 } } });
    expect(storedSchema.parse(answer.body).status).toBeUndefined();
    expect(await applyStatus('apart', 'operator', { sequence: 8, observedGeneration: 1 })).toMatchObject({
      status: 200,
      body: { metadata: { generation: 1 }, spec: { deletionPolicy: 'Retain' }, status: { sequence: 8 } },
    });
  });

  test('merges conditions of two writers by type', async () => {
    await create('merged', SHORTEST);
    const degraded = { ...ready, type: 'Degraded', status: 'False' };
    expect(await applyStatus('merged', 'operator', { conditions: [ready] })).toMatchObject({ status: 200 });
    const { body } = await applyStatus('merged', 'other', { conditions: [degraded] });
    expect(body).toMatchObject({ status: { conditions: [ready, degraded] } });
  });

  test.each([
    ['status.plan.class', { plan: { class: 'perhaps', changes: [] } }, 'supported values: "none", "create", "restart", "refused"'],
    ['status.sequence', { sequence: -1 }, 'should be greater than or equal to 0'],
    ['status.conditions[0].reason', { conditions: [{ ...ready, reason: '' }] }, 'should be at least 1 chars long'],
    ['status.conditions[0].lastTransitionTime', { conditions: [{ ...ready, lastTransitionTime: 'today' }] }, 'must be of type date-time'],
  ])('is refused with a bad %s', async (field, status, message) => {
    await call('POST', ENGINES, engine(SHORTEST, 'judged'));
    expect(refusalOf(await applyStatus('judged', 'operator', status))).toEqual(refused(field, message));
  });

  test('fills the columns of kubectl get', async () => {
    await create('shown', SHORTEST);
    const status = { conditions: [ready], sequence: 41, version: '1.2.3', configHash: 'abcd', plan: { class: 'none', changes: [] } };
    expect(await applyStatus('shown', 'operator', status)).toMatchObject({ status: 200 });
    const { body } = await call('GET', `${ENGINES}/shown`, undefined, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    const table = z.object({
      columnDefinitions: z.array(z.object({ name: z.string(), priority: z.int() })),
      rows: z.tuple([z.object({ cells: z.array(z.unknown()) })]),
    });
    const { columnDefinitions, rows } = table.parse(body);
    expect(columnDefinitions.map(({ name, priority }, index) => [name, priority, rows[0].cells[index]])).toEqual([
      ['Name', 0, 'shown'],
      ['Ready', 0, 'True'],
      ['Sequence', 0, 41],
      ['Version', 0, '1.2.3'],
      ['Config', 0, 'abcd'],
      ['Plan', 0, 'none'],
      ['Reason', 1, 'Serving'],
      ['Age', 0, expect.stringMatching(/^\d+s$/)],
    ]);
  });
});

describe('zod and the API server', () => {
  /** What each says: the spec with its defaults, or a refusal. `words` are there to be shown when they disagree. */
  async function verdicts(spec: unknown): Promise<{ zod: unknown; server: unknown; words: unknown }> {
    const parsed = specSchema.safeParse(spec);
    const answer = await tryCreate(engine(spec), 'Ignore');
    return {
      zod: parsed.success ? { status: 201, spec: parsed.data } : { status: 422 },
      server: { status: answer.status, ...(answer.status === 201 ? { spec: storedSchema.parse(answer.body).spec } : {}) },
      words: { zod: parsed.error?.issues, server: refusalOf(answer).causes },
    };
  }

  test('agree on specs within all bounds', async () => {
    await fc.assert(
      fc.asyncProperty(specs, async (spec) => {
        const { zod, server, words } = await verdicts(spec);
        expect({ says: server, words }).toEqual({ says: zod, words });
      }),
      { numRuns: 100 },
    );
  });

  test('agree on specs with something strange in them', async () => {
    await fc.assert(
      fc.asyncProperty(mutatedSpecs, async (spec) => {
        const { zod, server, words } = await verdicts(spec);
        expect({ says: server, words }).toEqual({ says: zod, words });
      }),
      { numRuns: 200 },
    );
  });

  test('speak of the same rules in the same words', async () => {
    await fc.assert(
      fc.asyncProperty(
        specs.filter((spec) => !specSchema.safeParse(spec).success),
        async (spec) => {
          const { issues } = specSchema.safeParse(spec).error ?? { issues: [] };
          const answer = await tryCreate(engine(spec));
          for (const { path, message } of issues) {
            expect(refusalOf(answer)).toEqual(refused(['spec', ...path.map(String)].join('.'), message));
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});
