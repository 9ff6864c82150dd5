import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kindCommands, kindConfig } from './kind.ts';

describe('kind', () => {
  it('keeps scores and images as they are', () => {
    const config = parse(kindConfig('hftengine'));
    expect(config).toMatchObject({ kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', name: 'hftengine' });
    expect(config.containerdConfigPatches[0]).toContain('restrict_oom_score_adj = true');
    expect(parse(config.kubeadmConfigPatches[0])).toMatchObject({ kind: 'KubeletConfiguration', imageGCHighThresholdPercent: 100 });
  });

  it('never touches the user’s own kubeconfig', () => {
    const options = { name: 'a', kubeconfigPath: '/k' };
    const commands = [
      kindCommands.create({ ...options, image: 'i', configPath: '/c' }),
      kindCommands.delete(options),
      kindCommands.kubeconfig(options),
    ];
    for (const command of commands) expect(command.join(' ')).toContain('--kubeconfig /k');
  });

  it('names the image and the cluster', () => {
    expect(kindCommands.create({ name: 'a', image: 'i', configPath: '/c', kubeconfigPath: '/k' }).join(' ')).toContain(
      '--name a --image i --config /c',
    );
    expect(kindCommands.load({ name: 'a', archivePath: '/x.tar' })).toEqual(['load', 'image-archive', '/x.tar', '--name', 'a']);
  });
});
