/** Problems as their JSON (RFC 9457). */
import type { ProblemView } from '../client/schemas.ts';
import { PROBLEMS, type Problem } from '../service/problem.ts';

/** The JSON of a problem. */
export function problemJson(problem: Problem, requestId?: string): string {
  return JSON.stringify(problemView(problem, requestId));
}

export function problemView(problem: Problem, requestId?: string): ProblemView {
  const { code, status, number, field, message } = problem;
  return {
    type: `urn:hftengine:problem:${code}`,
    title: PROBLEMS[code].title,
    status,
    detail: message,
    code,
    ...(number !== undefined && { number }),
    ...(field !== undefined && { field }),
    ...(requestId !== undefined && { requestId }),
  };
}
