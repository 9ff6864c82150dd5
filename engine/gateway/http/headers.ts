/** What answers tell browsers. */
import type { FastifyCorsOptions } from '@fastify/cors';
import type { FastifyHelmetOptions } from '@fastify/helmet';

/**
 * What helmet would say of JSON, for the orders port: the package itself took a fifth of the orders a second there. Pages (the documentation) set a
 * policy of their own.
 */
export const API_HEADERS = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** For the documentation: its scripts are files, its styles are set by them. The package's own policy has browsers ask for them over TLS, which is not there. */
export const DOCS_POLICY = {
  'default-src': "'self'",
  'img-src': ["'self'", 'data:'],
  'script-src': "'self'",
  'style-src': ["'self'", "'unsafe-inline'"],
  'object-src': "'none'",
  'base-uri': "'self'",
  'frame-ancestors': "'none'",
};

/** For the operations port. JSON needs nothing; pages (documentation, dashboard) set a policy of their own. */
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
