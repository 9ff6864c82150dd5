/** Who sends: the bearer token of a connection or call. */
import { EngineError } from './engine-error.ts';

/** Throws EngineError, not in doubt as nothing has been sent then, when the caller's function gives no token or it cannot be sent. */
export function authorizationOf(token: string | (() => string)): string {
  let text: string;
  try {
    text = typeof token === 'string' ? token : token();
  } catch (cause) {
    throw noToken(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (!/^[ -~]*$/.test(text)) throw noToken('it has characters that no header takes', undefined);
  return `Bearer ${text}`;
}

function noToken(why: string, cause: unknown): EngineError {
  return new EngineError({ code: 'HFT_UNAUTHORIZED', status: 0, message: `there is no token: ${why}`, cause });
}
