/** The keys that tokens are signed with, in JWKS form (RFC 7517): as the engine reads them and as the operator makes them. */
import { z } from 'zod';

const MOST_KEYS = 32;
/** Shorter secrets are guessed (RFC 7518, 3.2). */
const HS256_BYTES = 32;

const number = (bytes: number, what: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url')
    .refine((text) => Buffer.from(text, 'base64url').length === bytes, `must be ${bytes} bytes in base64url: ${what}`);

/** The year 2100, in seconds since 1970: what is far beyond makes no date that can be written. */
const LAST_TIME = 4_102_444_800;
/** In seconds since 1970. The operator writes them; nobody else need. */
const time = z.int().min(0).max(LAST_TIME).optional().catch(undefined);
const common = {
  kid: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, underscores and dashes: tokens name their key by it'),
  use: z.literal('sig', 'must be sig, or absent').optional(),
  iss: z.string().min(1).max(256).optional(),
  /** When the operator made it, from when on it signs, and when it is taken out. */
  iat: time,
  nbf: time,
  exp: time,
};

const keySchema = z.discriminatedUnion(
  'alg',
  [
    z.object({
      ...common,
      alg: z.literal('EdDSA'),
      kty: z.literal('OKP', 'must be OKP with alg EdDSA'),
      crv: z.literal('Ed25519', 'must be Ed25519 with alg EdDSA'),
      x: number(32, 'the public key'),
      d: number(32, 'the private key').optional(),
    }),
    z.object({
      ...common,
      alg: z.literal('ES256'),
      kty: z.literal('EC', 'must be EC with alg ES256'),
      crv: z.literal('P-256', 'must be P-256 with alg ES256'),
      x: number(32, 'a coordinate'),
      y: number(32, 'a coordinate'),
      d: number(32, 'the private key').optional(),
    }),
    z.object({
      ...common,
      alg: z.literal('HS256'),
      kty: z.literal('oct', 'must be oct with alg HS256'),
      k: z
        .string()
        .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url')
        .refine((text) => Buffer.from(text, 'base64url').length >= HS256_BYTES, `must be ${HS256_BYTES} bytes or more in base64url`),
    }),
  ],
  'must be EdDSA, ES256 or HS256',
);
/** As it stands in the file, with its private part where there is one. */
export type Jwk = z.output<typeof keySchema>;

export const keySetSchema = z.object({
  keys: z.array(keySchema).min(1, 'must hold a key').max(MOST_KEYS, `must hold at most ${MOST_KEYS} keys: remove those that are over`),
});
