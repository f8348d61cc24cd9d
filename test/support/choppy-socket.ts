import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Random } from '../../engine/base/random.ts';
import { pieces } from './resp.ts';

/** A unix socket in front of a server's, which hands on what the server says in small pieces, and can break off in the middle. */
export interface ChoppySocket {
  readonly path: string;
  /** The next connection that has said so many bytes more is lost there. */
  readonly loseAfter: (bytes: number) => void;
  readonly close: () => void;
}

export async function choppySocket(dir: string, target: string, random: Random): Promise<ChoppySocket> {
  const path = join(dir, 'choppy.sock');
  const open = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  const server = createServer((client) => {
    const upstream = connect(target);
    const lose = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        lose();
      });
    }
    client.on('data', (bytes) => upstream.write(bytes));
    let done: Promise<unknown> = Promise.resolve();
    upstream.on('data', (bytes) => {
      const whole = bytes.subarray(0, Math.min(bytes.length, left));
      left -= bytes.length;
      const isLast = left <= 0;
      if (isLast) left = Number.POSITIVE_INFINITY;
      done = done.then(async () => {
        for (const piece of pieces(whole, random)) {
          client.write(piece);
          await turn();
        }
        if (isLast) lose();
      });
    });
  }).listen(path);
  await once(server, 'listening');
  return {
    path,
    loseAfter(bytes) {
      left = bytes;
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
