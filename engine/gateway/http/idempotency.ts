/** `Idempotency-Key`: the clientOrderId of who has no place for one in the body. */
import type { PlaceOrderBody } from '../../client/schemas.ts';
import { Problem } from '../../service/problem.ts';

/** The key of a request's header; undefined without one. A structured field (`"key"`) and a bare key are the same. */
export function idempotencyKey(header: string | undefined): string | undefined {
  return header?.startsWith('"') === true ? header.slice(1, -1) : header;
}

/** The order with the key as its clientOrderId. Throws Problem when it has another one. */
export function withKey(body: PlaceOrderBody, key: string | undefined): PlaceOrderBody {
  if (key === undefined || body.clientOrderId === key) return body;
  if (body.clientOrderId === undefined) return { ...body, clientOrderId: key };
  throw new Problem(
    'HFT_IDEMPOTENCY_KEY_CONFLICT',
    `Idempotency-Key ${key} and clientOrderId ${body.clientOrderId} say different things: send one of them, or the same in both`,
    { field: 'clientOrderId' },
  );
}
