/** What answers tell browsers. */
import type { FastifyCorsOptions } from '@fastify/cors';
import type { FastifyHelmetOptions } from '@fastify/helmet';

/** JSON needs nothing; pages (documentation, dashboard) set a policy of their own. */
export const HELMET = {
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  frameguard: { action: 'deny' },
  // Without TLS on this port it would say nothing.
  strictTransportSecurity: false,
} as const satisfies FastifyHelmetOptions;

/** For the origins that are allowed; nothing is sent to others. */
export const CORS = {
  methods: ['GET', 'POST', 'PATCH', 'DELETE'],
  allowedHeaders: ['authorization', 'content-type', 'idempotency-key'],
  exposedHeaders: ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'],
  maxAge: 600,
  strictPreflight: true,
} as const satisfies FastifyCorsOptions;
