/** `npm run audit`, as a process. */
import { auditCommand } from './audit-command.ts';

await auditCommand(process.argv.slice(2));
