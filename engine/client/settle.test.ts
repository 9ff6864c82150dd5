import { expect, it } from 'vitest';
import { Problem, PROBLEMS, type ProblemCode } from '../service/problem.ts';
import { EngineError } from './engine-error.ts';
import { saysNothing, settle } from './settle.ts';

const CODES = Object.keys(PROBLEMS) as ProblemCode[];
const error = (code: string, status = 0, inDoubt?: boolean): EngineError =>
  new EngineError({ code, status, message: code, ...(inDoubt !== undefined && { inDoubt }) });
const lost = error('HFT_CLIENT_UNREACHABLE', 0, true);

/** A call whose tries end so, one after the other; the last again and again. */
async function settled(tries: readonly (Error | 'done')[], timeoutMs: number, signal?: AbortSignal): Promise<unknown> {
  let tried = 0;
  const attempt = (): Promise<string> => {
    const end = tries[Math.min(tried, tries.length - 1)] as Error | 'done';
    tried += 1;
    return end === 'done' ? Promise.resolve(end) : Promise.reject(end);
  };
  return await settle(attempt, { deadlineMs: performance.now() + timeoutMs, signal }).catch((cause: unknown) => cause);
}

it.each(CODES)('of %s says the same whether a status came with it or not', async (code) => {
  const { status } = new Problem(code, '');
  const withStatus = error(code, status);
  const isLastWord = ![401, 403, 408, 429, 503].includes(status) && !withStatus.inDoubt;
  for (const refused of [withStatus, error(code)]) {
    expect(saysNothing(refused)).toBe([401, 403, 408, 429, 503].includes(status));
    // The first try may have done it: a refusal of the second that says nothing of it is not the last word.
    expect(await settled([lost, refused], 50)).toBe(isLastWord ? refused : lost);
  }
});

it('stays in doubt when the client is closed meanwhile', async () => {
  expect(await settled([lost, error('HFT_CLIENT_CLOSED')], 1000)).toBe(lost);
});

it('stays in doubt when the caller gives up meanwhile', async () => {
  const controller = new AbortController();
  const call = settled([lost, error('HFT_CLIENT_ABORTED', 0, false)], 1000, controller.signal);
  controller.abort();
  expect(await call).toMatchObject({ code: 'HFT_CLIENT_ABORTED', inDoubt: true });
  expect(await settled([lost, error('HFT_CLIENT_ABORTED', 0, false)], 50)).toBe(lost);
});

it('stays in doubt when a further try cannot even be made', async () => {
  expect(await settled([lost, new TypeError('a fault of the client')], 1000)).toBe(lost);
  expect(await settled([new TypeError('a fault of the client')], 1000)).toBeInstanceOf(TypeError);
});

it('rides over what surely was not done', async () => {
  expect(await settled([error('HFT_RECOVERING', 503), 'done'], 1000)).toBe('done');
  expect(await settled([error('HFT_BOOK_FULL', 503), 'done'], 1000)).toMatchObject({ code: 'HFT_BOOK_FULL' });
});
