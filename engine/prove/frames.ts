/**
 * Proof that no frame breaks the engine or its books: damaged messages into the gateway's connections, each answer compared with what a model makes of
 * the same bytes, and over the sockets of a running engine, whose journal must give its books again.
 */
import { parseArgs } from 'node:util';
import { runRig } from './frame-rig.ts';
import { runWire } from './frame-wire.ts';

const HELP = `npm run prove -- frames [OPTION ...]

Random and damaged WebSocket frames, binary and JSON, into connections, order entry, core and journal of this process: every answer, book and state hash
must be those of a model that reads the same bytes by itself and matches by the naive exchange; each journal must give the same state again. Then the
same over the sockets of an engine process, in fragments and compressed too, and random protobuf to its gRPC streams and calls: it must go on serving, say
nothing of a fault of its own, and its journal must give its state in the core and in the naive exchange. Exit status 1 at the first difference.

  --frames N   into this process (10000000)
  --history N  of these for one pair of books (50000)
  --wire N     over WebSockets (200000); 0 for none
  --grpc N     messages over gRPC (20000)
  --seed N     of the first history; each further one has the next (1)`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '10000000' },
      history: { type: 'string', default: '50000' },
      wire: { type: 'string', default: '200000' },
      grpc: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  const [frames = 0, history = 0, wire = 0, grpc = 0, first = 0] = [
    values.frames,
    values.history,
    values.wire,
    values.grpc,
    values.seed,
  ].map(Number);
  const wanted = [frames, history, wire, grpc, first];
  if (values.help) console.log(HELP);
  else if (!wanted.every((number) => Number.isSafeInteger(number) && number >= 0) || history === 0) {
    console.error(`every option takes a whole number\n\n${HELP}`);
    process.exitCode = 2;
  } else {
    let sent = 0;
    for (let seed = first; sent < frames; seed += 1) {
      const figures = await runRig(seed, Math.min(history, frames - sent)).catch((cause: unknown) => {
        throw new Error(`seed ${seed}: a difference`, { cause });
      });
      sent += figures.frames;
      console.log(JSON.stringify({ seed, ...figures, sent }));
    }
    if (wire + grpc > 0) console.log(JSON.stringify(await runWire({ seed: first, frames: wire, grpcMessages: grpc })));
  }
}
