import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import type { Engine } from '../../service/engine.ts';
import { Sessions } from '../../service/sessions.ts';
import { RateLimiter } from '../rate-limit.ts';
import { OrderGate } from './order-gate.ts';

it('a connection has one session, and none any more when it has ended', () => {
  const ended: number[] = [];
  const sessions = new Sessions((session) => Promise.resolve(ended.push(session)));
  const gate = new OrderGate({ sessions } as Engine, new RateLimiter({ ordersPerSecond: 1, burst: 1 }));
  const socket = Object.assign(new EventEmitter(), { destroyed: false }) as Socket & { destroyed: boolean };
  expect([gate.sessionOf(socket), gate.sessionOf(socket)]).toEqual([1, 1]);
  socket.destroyed = true;
  socket.emit('close');
  expect(ended).toEqual([1]);
  expect(() => gate.sessionOf(socket)).toThrow('the connection has ended');
});
