/** Frames that are encoded once and go to everybody who follows a stream. */
import { decodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { FrameBuffer, HEAD_BYTES } from '../gateway/websocket/frame-buffer.ts';

/** Frames as every transport may want them. All who get it share it: nothing of it may be changed. */
export class Update {
  /** The last sequence that the frames tell of. */
  readonly sequence: number;
  /** Of the update in its stream: one more each time. */
  readonly number: number;
  /** The frames as one binary WebSocket message, head included. */
  readonly message: Buffer;
  /** The frames alone. */
  readonly frames: Buffer;
  #decoded: AnyFrame[] | undefined;
  #json: string | undefined;

  constructor(sequence: number, number: number, message: Buffer, frames: Buffer) {
    this.sequence = sequence;
    this.number = number;
    this.message = message;
    this.frames = frames;
  }

  /** The frames as objects, made when they are first asked for. */
  get decoded(): readonly AnyFrame[] {
    return (this.#decoded ??= decodeMessage(this.frames));
  }

  /** The JSON form, made when it is first asked for. */
  get json(): string {
    return (this.#json ??= JSON.stringify(this.decoded));
  }

  /** The same without what was made of it: what is kept for long takes no more than its bytes. */
  bare(): Update {
    return new Update(this.sequence, this.number, this.message, this.frames);
  }
}

/** Gathers frames and gives them out as an {@link Update}. One for many: gathering never waits. */
export class UpdateWriter extends FrameBuffer {
  get isEmpty(): boolean {
    return this.end === HEAD_BYTES;
  }

  /** Forgets what was gathered. */
  clear(): void {
    this.end = HEAD_BYTES;
  }

  /** What was gathered, as memory of its own. */
  finish(sequence: number, number: number): Update {
    const frames = this.end - HEAD_BYTES;
    const gathered = this.message();
    // Not of Node's pool: what a history keeps would hold all of a slab, with messages that nobody needs any more.
    const message = Buffer.allocUnsafeSlow(gathered.length);
    gathered.copy(message);
    this.clear();
    return new Update(sequence, number, message, message.subarray(message.length - frames));
  }
}

/** What one subscriber alone is told. */
export function updateOf(frames: Uint8Array, sequence = 0, number = 0): Update {
  const writer = new UpdateWriter();
  writer.add(frames);
  return writer.finish(sequence, number);
}
