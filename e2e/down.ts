/** `npm run down`: takes the cluster away again. Volumes and images of a local cluster go with it. */
import { parseArgs } from 'node:util';
import { providerOf, PROVIDER_OPTIONS } from './options.ts';

const HELP = `npm run down -- [--provider kind|local]

Ends the cluster that \`npm run up\` brought up and removes everything it made on this machine.
--provider current is refused: nothing of a cluster that was there before is taken away.`;

const { values } = parseArgs({ options: { ...PROVIDER_OPTIONS, help: { type: 'boolean' } } });
if (values.help === true) {
  console.log(HELP);
} else {
  const provider = await providerOf(values);
  await provider.down(console.log);
}
