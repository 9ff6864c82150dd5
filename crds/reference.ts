/** `docs/reference.md`: every field and rule of the HFTEngine and of the engine's configuration file, as tables. Pure text. */
import { isHot } from './config-changes.ts';
import { customResourceDefinition, objectSchema } from './crd.ts';
import { engineConfigSchema } from './engine-config.ts';
import { API_VERSION, KIND } from './hftengine.ts';
import { structuralSchema, type StructuralSchema } from './structural-schema.ts';

function cell(text: string): string {
  return text
    .replaceAll('|', String.raw`\|`)
    .replaceAll('\n', ' ')
    .trim();
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A Markdown table with its columns padded, as formatters of Markdown leave it. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) => row.map(cell));
  const widths = header.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function typeOf(schema: StructuralSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(' | ');
  if (schema['x-kubernetes-int-or-string'] === true) return 'integer or string';
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'anything' : `${typeOf(schema.items)}s`}`;
  if (schema.format === 'date-time') return 'time';
  return schema.type ?? 'anything';
}

function range(least: number | undefined, most: number | undefined, unit: string): string[] {
  const number = (value: number): string => value.toLocaleString('en-US');
  if (least !== undefined && most !== undefined) return [`${number(least)} to ${number(most)}${unit}`];
  if (least !== undefined) return [`at least ${number(least)}${unit}`];
  return most === undefined ? [] : [`at most ${number(most)}${unit}`];
}

function boundsOf(schema: StructuralSchema): string {
  return [
    ...range(schema.minimum, schema.maximum, ''),
    ...range(schema.minLength, schema.maxLength, ' characters'),
    ...range(schema.minItems, schema.maxItems, ' items'),
    ...(schema.pattern === undefined ? [] : [code(schema.pattern)]),
    ...(schema['x-kubernetes-list-map-keys'] === undefined ? [] : [`one for each ${schema['x-kubernetes-list-map-keys'].join(', ')}`]),
  ].join('; ');
}

/** Default of a field: `required`, its default, or nothing. Objects default to the defaults of their fields, which the rows below show. */
function defaultOf(schema: StructuralSchema, required: boolean): string {
  if (schema.default !== undefined && schema.type !== 'object') return code(JSON.stringify(schema.default));
  return required ? '**required**' : '';
}

interface Field {
  path: string;
  schema: StructuralSchema;
  required: boolean;
}

/** The schema itself and everything below it, in the order of the source. */
function fields(schema: StructuralSchema, path: string, required: boolean): Field[] {
  const own: Field[] = [{ path, schema, required }];
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    own.push(...fields(property, path === '' ? key : `${path}.${key}`, schema.required?.includes(key) ?? false));
  }
  if (schema.items !== undefined) own.push(...fields(schema.items, `${path}[]`, false));
  return own;
}

/** `changeOf` tells what a change of a field takes, for a further column. */
function fieldTable(schema: StructuralSchema, path: string, changeOf?: (field: Field) => string): string {
  const change = changeOf === undefined ? [] : ['Change'];
  return table(
    ['Field', 'Type', 'Default', 'Bounds', ...change, 'Meaning'],
    fields(schema, path, false)
      .filter((field) => field.path !== path && !field.path.endsWith('[]'))
      .map((field) => [
        code(field.path),
        typeOf(field.schema),
        defaultOf(field.schema, field.required),
        boundsOf(field.schema),
        ...(changeOf === undefined ? [] : [changeOf(field)]),
        field.schema.description ?? '',
      ]),
  );
}

function ruleTable(schema: StructuralSchema): string {
  return table(
    ['Field', 'Checked', 'Message'],
    fields(schema, '', false).flatMap(({ path, schema: { 'x-kubernetes-validations': validations = [] } }) =>
      validations.map(({ rule, message, fieldPath = '' }) => {
        const field = `${path}${fieldPath}`.replace(/^\./, '');
        return [code(field), rule.includes('oldSelf') ? 'on a change' : 'always', message];
      }),
    ),
  );
}

function changeOf({ path, schema }: Field): string {
  if (schema.type === 'object') return '';
  return isHot(path) ? 'hot' : 'restart';
}

/** The text of `docs/reference.md`, without the note that it is generated. */
export function referenceText(): string {
  const schema = objectSchema();
  const { names, versions } = customResourceDefinition().spec;
  const { spec = {}, status = {} } = schema.properties ?? {};
  const columns = versions.flatMap(({ additionalPrinterColumns }) => additionalPrinterColumns);
  return `# Reference

## ${KIND}

\`${API_VERSION}\`, kind \`${KIND}\`, namespaced; \`kubectl get ${names.shortNames.join(', ')}\`, \`kubectl get ${names.singular}\`, or \`kubectl get ${names.categories.join(', ')}\`
with whatever else belongs to trading. Needs Kubernetes 1.29 or newer. The shortest one that works:

\`\`\`yaml
apiVersion: ${API_VERSION}
kind: ${KIND}
metadata:
  name: demo
spec:
  instruments:
    - symbol: BTC-USD
      tickSize: "0.01"
      lotSize: "0.0001"
\`\`\`

Three kinds of text stand for numbers, so that no digit is lost in a float:

- a **decimal**: \`"100"\`, \`"0.01"\`; no sign, no exponent, at most nine digits after the point. Quote it in YAML.
- a **quantity**: \`1Gi\`, \`512Mi\`, \`500M\`; whole, with a binary (\`Ki Mi Gi Ti\`) or decimal (\`k M G T\`) suffix or none. CPUs are \`2\`, \`"0.5"\` or \`500m\`.
- a **duration**: \`24h\`, \`1h30m\`, \`90s\`, \`500ms\`; at most four parts.

### Spec

A field without a default may be left out, unless it is required. \`kubectl explain hft.spec --recursive\` shows the same.

${fieldTable(spec, 'spec')}

### Rules

Besides the types and bounds above, the API server refuses what breaks one of these, with this message.
«On a change» compares with the stored object.

${ruleTable(schema)}

### Status

Written by the operator.

${fieldTable(status, 'status')}

### Columns of \`kubectl get hft\`

${table(
  ['Column', 'From', 'Meaning'],
  columns.map(({ name, jsonPath, description, priority }) => [name + (priority === 1 ? ' (`-o wide`)' : ''), code(jsonPath), description]),
)}

## Engine configuration file

What the engine reads with \`--config FILE\`, as JSON. In a cluster the operator writes it from the spec; alone, write it by hand. Defaults hold
for keys inside an object that is there; unknown keys are refused. A running engine takes a change over where it says «hot»; the other keys
need a restart ([operations](operations.md#configuration-of-an-engine)).

${fieldTable(structuralSchema(engineConfigSchema), '', changeOf)}
`;
}
