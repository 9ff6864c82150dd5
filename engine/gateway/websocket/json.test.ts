import { expect, it } from 'vitest';
import { decodeMessage } from '../../client/websocket-codec.ts';
import { bytesOfJson } from './json.ts';

it('takes one frame or several', () => {
  const cancel = { frame: 'cancel', number: 1, account: 0, orderId: 7 };
  expect(decodeMessage(bytesOfJson(JSON.stringify(cancel)))).toEqual([cancel]);
  expect(decodeMessage(bytesOfJson(JSON.stringify([cancel, cancel])))).toEqual([cancel, cancel]);
});

it.each([
  ['{"frame": "newOrder", "number": 1, "side": "both"}', 'frame 0, side: Invalid option: expected one of "buy"|"sell"'],
  [
    '[{"frame": "heartbeat", "number": 0}, {"frame": "cancel", "number": 1, "orderId": 1.5}]',
    /^frame 1, orderId: Invalid input: expected int/,
  ],
  ['{"frame": "newOrder", "number": 1, "clientOrderId": 17}', /^frame 0, clientOrderId: /],
  ['{"frame": "cancel", "number": 1, "foo": 1}', 'frame 0: Unrecognized key: "foo"'],
  ['{"frame": "buy", "number": 1}', /^frame 0, frame: /],
  ['{', 'the message is not JSON'],
])('says of %s where the fault is', (text, fault) => {
  expect(() => bytesOfJson(text)).toThrow(fault);
});
