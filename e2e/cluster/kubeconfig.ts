import { readFile, rename, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { KeyPair } from './certificates.ts';

/** What a kubeconfig with a client certificate needs. */
export interface KubeconfigContent {
  readonly name: string;
  readonly server: string;
  readonly authorityPath: string;
  readonly client: KeyPair;
}

/** Writes a kubeconfig (mode 0600) with every certificate inside it, so that the file alone can be copied. */
export async function writeKubeconfig(path: string, content: KubeconfigContent): Promise<void> {
  const inline = async (file: string) => (await readFile(file)).toString('base64');
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': content.name,
    clusters: [
      {
        name: content.name,
        cluster: { server: content.server, 'certificate-authority-data': await inline(content.authorityPath) },
      },
    ],
    users: [
      {
        name: content.name,
        user: {
          'client-certificate-data': await inline(content.client.certificatePath),
          'client-key-data': await inline(content.client.keyPath),
        },
      },
    ],
    contexts: [{ name: content.name, context: { cluster: content.name, user: content.name } }],
  };
  const text = stringify(document, { lineWidth: 0 });
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return;
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
