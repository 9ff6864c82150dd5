/** Instruments and books. Nothing is shown before it is durable. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Principal } from '../../access/principal.ts';
import type { GetBookRequest, GetBookResponse, InstrumentsRequest, InstrumentsResponse } from '../../client/grpc-contract.ts';
import { MAX_DEPTH } from '../../client/schemas.ts';
import type { Engine } from '../../service/engine.ts';
import { Problem } from '../../service/problem.ts';
import { requireListed } from '../http/answers.ts';
import { unary, type UnaryParts } from './calls.ts';
import { bookMessage, instrumentMessage } from './messages.ts';

const USUAL_DEPTH = 10;

export function marketService(parts: UnaryParts & { readonly engine: Engine }): UntypedServiceImplementation {
  const { engine } = parts;
  const { gatekeeper } = parts.access;

  async function instruments(_request: InstrumentsRequest, principal: Principal): Promise<InstrumentsResponse> {
    gatekeeper.authorize(principal, 'market.read');
    engine.admission.requireQuery();
    const { bySymbol, core, sequencer } = engine.market;
    const messages = [...bySymbol.values()].map((instrument) => instrumentMessage(instrument, core.book(instrument.id)));
    await sequencer.settled();
    return { instruments: messages };
  }

  async function book({ symbol, depth }: GetBookRequest, principal: Principal): Promise<GetBookResponse> {
    gatekeeper.authorize(principal, 'market.read');
    engine.admission.requireQuery();
    if (depth > MAX_DEPTH) throw new Problem('HFT_INVALID_FIELD', `depth must be from 1 to ${MAX_DEPTH}`, { field: 'depth' });
    const { market } = engine;
    const { core, sequencer } = market;
    const { id } = requireListed(market, symbol);
    const message = bookMessage(symbol, core.sequence, core.book(id), depth === 0 ? USUAL_DEPTH : depth);
    await sequencer.settled();
    return message;
  }

  return { Instruments: unary(parts, instruments), GetBook: unary(parts, book) };
}
