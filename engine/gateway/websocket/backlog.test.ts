import { expect, it } from 'vitest';
import { Backlog, type Sender } from './backlog.ts';

it('cuts the slowest when too much waits in all, and counts only what still waits', () => {
  const cut: string[] = [];
  const backlog = new Backlog(100);
  const sender = (name: string): Sender & { bufferedBytes: number } => ({ bufferedBytes: 0, cut: () => void cut.push(name) });
  const [one, two, three] = [sender('one'), sender('two'), sender('three')];
  const tell = (of: typeof one, bytes: number): void => {
    of.bufferedBytes = bytes;
    backlog.tell(of, bytes);
  };
  tell(one, 40);
  tell(two, 60);
  expect(cut).toEqual([]);
  // It has read since.
  one.bufferedBytes = 10;
  tell(three, 30);
  expect(cut).toEqual([]);
  tell(one, 11);
  expect(cut).toEqual(['two']);
  tell(one, 70);
  expect(cut).toEqual(['two']);
  backlog.tell(one, 0);
  tell(three, 100);
  expect(cut).toEqual(['two']);
});
