import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** A unix socket in front of another one, whose traffic towards the server can be held back. */
export interface HeldSocket {
  readonly path: string;
  /** From now on bytes towards the server wait here. */
  readonly hold: () => void;
  /** Resolves when bytes are waiting. */
  readonly holding: () => Promise<void>;
  readonly release: () => void;
  readonly close: () => void;
}

export async function heldSocket(dir: string, target: string, name = 'held.sock'): Promise<HeldSocket> {
  const path = join(dir, name);
  const open = new Set<Socket>();
  let held: (() => void)[] | null = null;
  let noticed: () => void = () => undefined;
  const server = createServer((client) => {
    const upstream = connect(target);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => open.delete(socket));
    }
    client.on('data', (bytes) => {
      if (held === null) upstream.write(bytes);
      else {
        held.push(() => upstream.write(bytes));
        noticed();
      }
    });
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  }).listen(path);
  await once(server, 'listening');
  return {
    path,
    hold() {
      held = [];
    },
    holding: () =>
      new Promise((resolve) => {
        noticed = resolve;
        if (held !== null && held.length > 0) resolve();
      }),
    release() {
      for (const send of held ?? []) send();
      held = null;
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
