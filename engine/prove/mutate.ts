/** Breaks a TypeScript file in one place at a time: every mutant is the file with one small mistake of the kinds that people make. */
import { parseSync } from '@swc/core';

/** One mistake: `text` from `start` to `end` becomes `replacement`. */
export interface Mutant {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** The lines it touches, without and with the mistake, trimmed. */
  readonly before: string;
  readonly after: string;
}

/** A node of the syntax tree, as far as it matters here. */
interface Node {
  readonly type: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly [field: string]: unknown;
}

/** What each operator is mistaken for. */
const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&': ['|'],
  '|': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
  '&&': ['||'],
  '||': ['&&'],
  '+=': ['-='],
  '-=': ['+='],
  '*=': ['/='],
  '|=': ['&='],
  '&=': ['|='],
  '++': ['--'],
  '--': ['++'],
};

/** Fields that hold types, which are gone when the code runs. */
const TYPE_FIELDS = new Set(['typeAnnotation', 'typeParams', 'typeParameters', 'typeArguments', 'returnType', 'superTypeParams']);
/** Of all nodes that are named so, only these hold code. */
const TYPE_NODE = /^Ts(?!AsExpression|NonNullExpression|SatisfiesExpression|ParameterProperty)/;
const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression', 'ClassMethod', 'PrivateMethod']);

/** Names of constants that are 0, such as those of first fields: adding one and taking it away are the same. */
export function zerosOf(text: string): string[] {
  return [...text.matchAll(/^(?:export )?const (\w+) = 0;$/gm)].map(([, name = '']) => name);
}

/** All mutants of a file, in the order of their places. `zeros` are {@link zerosOf} it and all it imports. Throws when the text is no TypeScript. */
export function mutantsOf(file: string, text: string, zeros: ReadonlySet<string>): Mutant[] {
  const bytes = Buffer.from(text);
  /** Offset in `text` of a position of the parser, which counts bytes from 1. */
  const offset = bytes.length === text.length ? (at: number) => at - 1 : (at: number) => bytes.toString('utf8', 0, at - 1).length;
  const mutants: Mutant[] = [];

  const add = (start: number, end: number, replacement: string): void => {
    const from = text.lastIndexOf('\n', start - 1) + 1;
    const lineEnd = text.indexOf('\n', end);
    const to = lineEnd < 0 ? text.length : lineEnd;
    mutants.push({
      file,
      line: text.slice(0, start).split('\n').length,
      start,
      end,
      replacement,
      before: oneLine(text.slice(from, to)),
      after: oneLine(text.slice(from, start) + replacement + text.slice(end, to)),
    });
  };
  const replace = ({ span }: Node, replacement: string): void => add(offset(span.start), offset(span.end), replacement);

  /** The operator stands between two positions of the parser, beside nothing but parentheses and blanks. */
  const swapOperator = (operator: string, from: number, to: number): void => {
    const start = text.indexOf(operator, offset(from));
    if (start < 0 || start + operator.length > offset(to)) throw new Error(`${file}: no ${operator} at byte ${from}`);
    for (const other of OPERATORS[operator] ?? []) add(start, start + operator.length, other);
  };

  const decide = (test: Node, withTrue: boolean, withFalse: boolean): void => {
    if (withTrue) replace(test, 'true');
    if (withFalse) replace(test, 'false');
  };

  const visit = (node: Node, last: Node | undefined): void => {
    if (TYPE_NODE.test(node.type)) return;
    const children = childrenOf(node);
    switch (node.type) {
      case 'ImportDeclaration':
        return;
      case 'BinaryExpression': {
        const [left, right] = [node['left'] as Node, node['right'] as Node];
        const addsNothing = node['operator'] === '+' && zeros.has(String(right['value']));
        if (!addsNothing) swapOperator(node['operator'] as string, left.span.end, right.span.start);
        break;
      }
      case 'AssignmentExpression': {
        const [left, right] = [node['left'] as Node, node['right'] as Node];
        swapOperator(node['operator'] as string, left.span.end, right.span.start);
        break;
      }
      case 'UpdateExpression':
        swapOperator(node['operator'] as string, node.span.start, node.span.end);
        break;
      case 'UnaryExpression':
        if (node['operator'] === '!' || node['operator'] === '-' || node['operator'] === '~')
          add(offset(node.span.start), offset((node['argument'] as Node).span.start), '');
        break;
      case 'NumericLiteral': {
        const value = node['value'] as number;
        for (const other of [value + 1, value - 1]) replace(node, other < 0 ? `(${other})` : String(other));
        break;
      }
      case 'BigIntLiteral':
        replace(node, `${BigInt(text.slice(offset(node.span.start), offset(node.span.end) - 1)) + 1n}n`);
        break;
      case 'BooleanLiteral':
        replace(node, String(node['value'] !== true));
        break;
      case 'IfStatement': {
        // Never doing a single statement is what the mutant without that statement does already.
        const isRemoved = node['alternate'] === null && isRemovable(node['consequent'] as Node);
        decide(node['test'] as Node, true, !isRemoved);
        break;
      }
      case 'ConditionalExpression':
        decide(node['test'] as Node, true, true);
        break;
      case 'WhileStatement':
      case 'ForStatement':
        // For ever is a mistake that needs no test to be seen.
        if (node['test'] !== null) decide(node['test'] as Node, false, true);
        break;
      case 'ExpressionStatement':
        if (isRemovable(node)) replace(node, ';');
        break;
      case 'ReturnStatement':
        if (node !== last) replace(node, ';');
        break;
    }
    const body = FUNCTIONS.has(node.type) ? lastStatement(node) : last;
    for (const child of children) visit(child, body);
  };

  visit(parseSync(text, { syntax: 'typescript', target: 'es2024' }) as unknown as Node, undefined);
  return mutants.toSorted((one, other) => one.start - other.start || one.end - other.end);
}

/** The text of the file that a mutant comes from, with its mistake. Throws when that is no TypeScript: then the mutant is none. */
export function mutated(text: string, { start, end, replacement }: Mutant): string {
  const broken = text.slice(0, start) + replacement + text.slice(end);
  parseSync(broken, { syntax: 'typescript', target: 'es2024' });
  return broken;
}

function isRemovable(statement: Node): boolean {
  if (statement.type === 'ReturnStatement') return true;
  if (statement.type !== 'ExpressionStatement') return false;
  return ['CallExpression', 'AssignmentExpression', 'UpdateExpression'].includes((statement['expression'] as Node).type);
}

/** The statement at the very end of a function: a return there is not an early one. */
function lastStatement(node: Node): Node | undefined {
  const body = (node['body'] ?? (node['function'] as Node | undefined)?.['body']) as Node | null | undefined;
  const statements = body?.['stmts'] as readonly Node[] | undefined;
  return statements?.at(-1);
}

function childrenOf(node: Node): Node[] {
  return Object.entries(node).flatMap(([field, value]) => (TYPE_FIELDS.has(field) ? [] : [value].flat(2).flatMap(nodesIn)));
}

/** A node is known by its type and place; arguments of calls and the like are wrapped once more. */
function nodesIn(value: unknown): Node[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('type' in value && 'span' in value) return [value as Node];
  return Object.entries(value).flatMap(([field, inner]) =>
    TYPE_FIELDS.has(field) || field === 'span' ? [] : [inner].flat(2).flatMap(nodesIn),
  );
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, ' ');
