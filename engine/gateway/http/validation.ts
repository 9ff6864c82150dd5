/** From a zod issue to a problem: the first fault, with a stable code and the field's name. */
import type { FastifySchemaCompiler } from 'fastify';
import { z } from 'zod';
import { fieldPath, valueAt } from '../../config/strict-json.ts';
import { Problem, PROBLEMS, type ProblemCode } from '../../service/problem.ts';

/** Fastify's validator over zod schemas. */
export const zodValidator: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  if (httpPart === 'headers') return headersValidator(schema);
  return (data: unknown) => {
    const result = schema.safeParse(data);
    return result.success ? { value: result.data } : { error: problemOfIssues(result.error.issues, data) };
  };
};

/** Most requests have none of the headers that a schema knows: they cost nothing then, and are never copied. */
function headersValidator(schema: z.ZodType) {
  const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return (headers: Readonly<Record<string, unknown>>) => {
    if (names.every((name) => headers[name] === undefined)) return { value: headers };
    const result = schema.safeParse(headers);
    return result.success ? { value: headers } : { error: problemOfIssues(result.error.issues, headers) };
  };
}

function isCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && code in PROBLEMS;
}

const MAX_NAME = 64;

/** Exported for the tests. A missing field is told before a wrong one, and a wrong one before one too many. */
export function problemOfIssues(issues: readonly z.core.$ZodIssue[], data: unknown): Problem {
  const missing = issues.find(
    (issue) => issue.code !== 'unrecognized_keys' && issue.path.length > 0 && valueAt(data, issue.path) === undefined,
  );
  const issue = missing ?? issues.find(({ code }) => code !== 'unrecognized_keys') ?? issues[0];
  if (issue === undefined) return new Problem('HFT_INVALID_FIELD', 'the request is not valid');
  const field = fieldPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const name = (issue.keys[0] ?? '').slice(0, MAX_NAME);
    return new Problem('HFT_UNKNOWN_FIELD', `${name} is not known here: remove it, or correct its spelling`, { field: name });
  }
  if (field === undefined) return new Problem('HFT_INVALID_FIELD', 'the body must be a JSON object');
  if (missing !== undefined && missing.code !== 'custom') return new Problem('HFT_MISSING_FIELD', `${field} is missing: add it`, { field });
  if (missing !== undefined) return new Problem('HFT_MISSING_FIELD', `${field}: ${missing.message}`, { field });
  const custom = issue.code === 'custom' && isCode(issue.params?.['code']) ? issue.params['code'] : 'HFT_INVALID_FIELD';
  const message = issue.message.replace(/^Invalid (input|option|string): /, '');
  return new Problem(custom, `${field}: ${message}`, { field });
}
