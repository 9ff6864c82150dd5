/** `npm run token`: a token for local use, signed with the keys that an engine made at its first start or with those of a file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DURATION_PATTERN, parseDurationMs } from '../../crds/quantity.ts';
import { ConfigError, DEFAULT_CONFIG } from '../config/config.ts';
import { DEFAULT_DATA } from '../config/options.ts';
import { ROLES, type Role } from './roles.ts';
import { signingKeyOf, signToken } from './sign.ts';

const HELP = `Usage: npm run --silent token -- [options]

Prints a bearer token for the order API and the operations port, signed with the keys of an engine.

  --role ROLE        ${ROLES.join(', ')}; several may be given; default trader
  --account NAME     account that it may act for; several may be given; default all
  --subject NAME     who it is for, in the audit log and the rate limits; default local
  --expires TIME     such as 15m or 8h; default 8h
  --engine NAME      engine that it is for; default ${DEFAULT_CONFIG.engine}, the one of npm start
  --data DIR         data directory of the engine, default ${DEFAULT_DATA}: its keys.json signs
  --keys FILE        key file that signs, instead; - for standard input
  --header           as the header that curl sends: npm run --silent token -- --header > auth; curl -H @auth ...
  --help

docs/security.md says what each role may do.
`;

const OPTIONS = {
  role: { type: 'string', multiple: true },
  account: { type: 'string', multiple: true },
  subject: { type: 'string', default: 'local' },
  expires: { type: 'string', default: '8h' },
  engine: { type: 'string', default: DEFAULT_CONFIG.engine },
  data: { type: 'string', default: process.env['HFT_DATA'] ?? DEFAULT_DATA },
  keys: { type: 'string' },
  header: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

async function run(args: readonly string[]): Promise<string> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false });
  if (values.help) return HELP;
  const roles = (values.role ?? ['trader']).map(roleOf);
  for (const account of values.account ?? [])
    if (!/^[A-Za-z0-9._-]{1,32}$/.test(account))
      throw new ConfigError(`--account ${account}: must be 1 to 32 letters, digits, dots, underscores and dashes; leave it out for all`);
  if (!/^[\x21-\x7e]{1,64}$/.test(values.subject))
    throw new ConfigError('--subject: must be 1 to 64 printable ASCII characters without spaces');
  if (!DURATION_PATTERN.test(values.expires)) throw new ConfigError(`--expires ${values.expires}: must be a time such as 15m or 8h`);
  const file = values.keys ?? join(values.data, 'keys.json');
  const token = await signToken(signingKeyOf(read(file), file), {
    engine: values.engine,
    subject: values.subject,
    roles,
    accounts: values.account ?? 'all',
    lifetimeMs: parseDurationMs(values.expires),
  });
  return values.header ? `authorization: Bearer ${token}\n` : `${token}\n`;
}

function roleOf(text: string): Role {
  const role = ROLES.find((one) => one === text);
  if (role === undefined) throw new ConfigError(`--role ${text}: must be ${ROLES.join(', ')}`);
  return role;
}

function read(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`${file} cannot be read (${reason}): start an engine once with npm start, or name its keys by --data or --keys`);
  }
}

try {
  process.stdout.write(await run(process.argv.slice(2)));
} catch (cause) {
  process.stderr.write(`token: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
}
