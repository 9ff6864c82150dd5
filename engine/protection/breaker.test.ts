import { expect, it } from 'vitest';
import { Breaker, CLOSED, HALF_OPEN, OPEN, type BreakerState } from './breaker.ts';

const SETTINGS = { breakerPercent: 50, breakerCalls: 10, breakerOpenMs: 1000 };

function breaker(): { one: Breaker; states: BreakerState[] } {
  const states: BreakerState[] = [];
  return { one: new Breaker('test', SETTINGS, (state) => states.push(state)), states };
}

function fail(one: Breaker, times: number, nowMs: number): void {
  for (let n = 0; n < times; n += 1) one.record(false, nowMs);
}

it('opens at the rate, not before it has counted enough', () => {
  const { one } = breaker();
  fail(one, 9, 0);
  expect(one.state).toBe(CLOSED);
  expect(one.take(0)).toBe(0);
  one.record(false, 0);
  expect(one.state).toBe(OPEN);
  expect(one.take(250)).toBe(750);
  expect(one.refused).toBe(1);
});

it('stays closed below the rate, and forgets what is older than ten seconds', () => {
  const { one } = breaker();
  for (let n = 0; n < 11; n += 1) one.record(true, 0);
  fail(one, 10, 0);
  expect(one.state).toBe(CLOSED);
  fail(one, 9, 11_000);
  expect(one.state).toBe(CLOSED);
  one.record(false, 11_000);
  expect(one.state).toBe(OPEN);
});

it('lets a few through to try, and closes when they come back well', () => {
  const { one, states } = breaker();
  fail(one, 10, 0);
  expect(one.take(999)).toBe(1);
  for (let n = 0; n < 8; n += 1) expect(one.take(1000)).toBe(0);
  expect(one.state).toBe(HALF_OPEN);
  expect(one.take(1500)).toBe(500);
  for (let n = 0; n < 3; n += 1) one.record(true, 1600);
  expect(states).toEqual([OPEN, HALF_OPEN, CLOSED]);
  // What was counted before it opened is forgotten.
  fail(one, 9, 1700);
  expect(one.state).toBe(CLOSED);
});

it('opens for twice as long after each try that fails, ten seconds at most', () => {
  const { one } = breaker();
  fail(one, 10, 0);
  let nowMs = 1000;
  for (const waitMs of [2000, 4000, 8000, 10_000, 10_000]) {
    expect(one.take(nowMs)).toBe(0);
    one.record(false, nowMs);
    expect(one.take(nowMs)).toBe(waitMs);
    nowMs += waitMs;
  }
});

it('tries again when nothing is heard of those that it let through', () => {
  const { one } = breaker();
  fail(one, 10, 0);
  for (let n = 0; n < 8; n += 1) one.take(1000);
  expect(one.take(1999)).toBe(1);
  expect(one.take(2000)).toBe(0);
});

it('is opened at once, and kept open as long as that is said', () => {
  const { one } = breaker();
  one.trip('no room', 0);
  one.trip('no room', 900);
  expect(one.opens).toBe(1);
  expect(one.take(1000)).toBe(900);
  // What comes late of what had been let through before decides nothing.
  one.record(true, 1000);
  expect(one.state).toBe(OPEN);
});
