/** Who follows streams, whatever it is reached by: a WebSocket implements this, and so may any other transport. */
import type { CHANNELS } from '../client/websocket-frames.ts';
import type { Update } from './update.ts';

export type Channel = (typeof CHANNELS)[number];

/** Called by the hub, in its own turn: nothing of it may wait. */
export interface Subscriber {
  /** Bytes that were given to it and not taken by its client yet. */
  readonly bufferedBytes: number;
  /** Takes an update, for the {@link flush} of this turn. Encoded once and shared by all. */
  send(update: Update): void;
  /** Sends what it has taken, in one write. */
  flush(): void;
  /** Ends it; `code` is a close code of the WebSocket protocol (docs/protocol.md). The owner then calls `leave` of the hub. */
  close(code: number, why: string): void;
}

/** What is asked for. Whoever asks has been authorised: the hub does not look at roles. */
export interface StreamRequest {
  readonly channel: Channel;
  /** Of the request: repeated in `subscribed` and `rejected`. */
  readonly number: number;
  /** Id of the instrument; 65535 for all. Of own-orders and drop-copy: not looked at. */
  readonly instrument: number;
  /** Levels of a side, of `book`; 0 for all. Rounded up to one that others share. */
  readonly depth: number;
  /** Name of the account, of `own-orders`; else ''. */
  readonly account: string;
  /** Last sequence that the client knows; 0 to begin with a snapshot. */
  readonly fromSequence: number;
}
