import { afterEach, expect, it } from 'vitest';
import { PROTECTION_DEFAULTS } from '../../crds/protection.ts';
import { REJECT } from '../core/types.ts';
import { Admission, type Load } from './admission.ts';
import { HALF_OPEN, OPEN } from './breaker.ts';

const QUIET: Load = { sequence: 5, durableSequence: 5, fill: 0 };
let admission: Admission;
const told: string[] = [];

afterEach(() => {
  admission.stop();
  told.length = 0;
});

/** One whose timer does not run: `tick` is called with the given time between. */
function make(load: () => Load | undefined): (times: number, stepMs: number) => void {
  const tell = (_details: object, message: string): void => void told.push(message);
  admission = new Admission(PROTECTION_DEFAULTS, { info: tell, warn: tell }, load);
  admission.stop();
  let nowMs = performance.now();
  return (times, stepMs) => {
    for (let n = 0; n < times; n += 1) admission.tick((nowMs += stepMs));
  };
}

it('sheds nothing for a pause, queries first, then new orders, and ends by itself', () => {
  const tick = make(() => QUIET);
  tick(5, 50);
  tick(4, 5000);
  tick(1, 50);
  expect(admission.shedding).toBe('nothing');
  tick(5, 250);
  expect(() => admission.requireQuery()).toThrow(expect.objectContaining({ code: 'HFT_OVERLOADED', retryAfterMs: 1000 }));
  admission.requireOrder();
  tick(5, 400);
  expect(admission.refuseOrder(0)).toBe(REJECT.busy);
  expect(() => admission.requireOrder()).toThrow(expect.objectContaining({ code: 'HFT_OVERLOADED', status: 503 }));
  expect(admission.refusing).toMatch(/orders/);
  expect(admission.shed).toEqual({ orders: 2, queries: 1 });
  tick(5, 50);
  expect(admission.shut).toBe(0);
  admission.requireQuery();
  expect(admission.refusing).toBeUndefined();
  expect(told).toHaveLength(3);
});

it('sheds orders while a ring is full', () => {
  let fill = 0.95;
  const tick = make(() => ({ ...QUIET, fill }));
  tick(1, 50);
  expect(admission.refuseOrder(0)).toBe(REJECT.busy);
  fill = 0.1;
  tick(5, 50);
  expect(admission.refuseOrder(0)).toBe(REJECT.none);
});

it('opens the breaker when nothing is committed, not when this thread stood still', () => {
  const tick = make(() => ({ sequence: 6, durableSequence: 5, fill: 0 }));
  tick(2, 10_000);
  expect(admission.shut).toBe(0);
  tick(40, 50);
  expect(admission.journal.state).toBe(OPEN);
  expect(admission.refuseOrder(performance.now())).toBe(REJECT.journal);
  expect(() => admission.requireOrder()).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_BREAKER', status: 503 }));
  expect(told[0]).toMatch(/docs\/operations\.md/);
});

it('shows that an open breaker tries again when its time is over, although nobody sends anything', () => {
  const tick = make(() => QUIET);
  admission.journal.trip('a test', performance.now());
  admission.views.trip('a test', performance.now());
  tick(1, 50);
  expect(admission.journal.state).toBe(OPEN);
  tick(1, PROTECTION_DEFAULTS.breakerOpenMs);
  expect([admission.journal.state, admission.views.state]).toEqual([HALF_OPEN, HALF_OPEN]);
});

it('lets no refused order be one of those that try', () => {
  make(() => QUIET);
  admission.journal.trip('a test', performance.now() - 60_000);
  const nowMs = performance.now();
  for (let n = 0; n < 20; n += 1) expect(admission.refuseOrder(nowMs)).toBe(REJECT.none);
  for (let n = 0; n < 8; n += 1) admission.ordered();
  expect(admission.refuseOrder(nowMs)).toBe(REJECT.journal);
});

it('opens the breaker when commits are slow', () => {
  make(() => QUIET);
  for (let n = 0; n < 10; n += 1) admission.committed(600e6);
  expect(admission.journal.state).toBe(OPEN);
});

it('takes the time before it serves for no load', () => {
  let load: Load | undefined;
  const tick = make(() => load);
  tick(9, 5000);
  load = QUIET;
  tick(4, 5000);
  expect(admission.shedding).toBe('nothing');
  tick(1, 5000);
  expect(admission.shedding).toBe('orders');
});
