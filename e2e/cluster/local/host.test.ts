import { describe, expect, it } from 'vitest';
import { removalOf } from './host.ts';

const SAVED = `# Generated
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.203.1.0/24 -m comment --comment hftengine-cluster -j ACCEPT
-A DOCKER -i docker0 -j RETURN
-A KUBE-SERVICES -d 10.203.2.1/32 -j KUBE-SVC-A
COMMIT
`;

describe('firewall clean-up', () => {
  it('removes the chains of the cluster, what jumps there and its marked rules, and leaves other people theirs', () => {
    expect(removalOf(SAVED)?.split('\n')).toEqual([
      '*nat',
      '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-D POSTROUTING -s 10.203.1.0/24 -m comment --comment hftengine-cluster -j ACCEPT',
      '-F KUBE-SERVICES',
      '-F KUBE-SVC-A',
      '-X KUBE-SERVICES',
      '-X KUBE-SVC-A',
      'COMMIT',
      '',
    ]);
  });

  it('has nothing to do on a clean machine', () => {
    expect(removalOf('*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DOCKER\nCOMMIT\n')).toBeUndefined();
    expect(removalOf('')).toBeUndefined();
  });
});
