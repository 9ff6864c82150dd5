/** Connections that a test can cut. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a port of the engine whose connections can be cut; `deaf` swallows what the engine says. */
export async function cuttable(target: number): Promise<{ port: number; cut(): void; deaf: boolean } & Disposable> {
  const sockets = new Set<Socket>();
  const way = { port: 0, deaf: false, cut: () => undefined as void, [Symbol.dispose]: () => undefined as void };
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    near.pipe(far);
    far.on('data', (data) => {
      if (!way.deaf) near.write(data);
    });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  way.port = (server.address() as AddressInfo).port;
  way.cut = () => {
    way.deaf = false;
    for (const socket of sockets) socket.destroy();
  };
  way[Symbol.dispose] = () => {
    way.cut();
    server.close();
  };
  return way;
}
