import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What a server under load says of itself when it is asked. */
export interface Look {
  /** CPU time of the process so far, all threads, ms. */
  readonly cpuMs: number;
  /** Rows taken and refused so far, where it takes rows. */
  readonly accepted: number;
  readonly rejected: number;
}

/** What it is told: where its Redis is, and a folder of its own. */
export interface ServerPlace {
  readonly url: string;
  readonly dir: string;
}

/** A server in a process of its own, listening on loopback. */
export interface ServerProcess {
  readonly port: number;
  /** Once it is at rest. */
  readonly look: () => Promise<Look>;
  readonly stop: () => Promise<void>;
}

export const placeOf = (args: readonly string[]): ServerPlace => JSON.parse(args[2] ?? '') as ServerPlace;

/** The server's side: says its port, answers looks, and ends when whoever started it is gone or wants it to. */
export function answerLooks(port: number, look: () => Promise<Omit<Look, 'cpuMs'>>): Promise<void> {
  process.send?.(port);
  process.on('message', () => {
    void look().then((rows) => {
      const { user, system } = process.cpuUsage();
      process.send?.({ ...rows, cpuMs: (user + system) / 1_000 } satisfies Look);
    });
  });
  return new Promise((resolve) => {
    process.once('disconnect', resolve);
  });
}

export async function startServer(file: string, place: ServerPlace): Promise<ServerProcess> {
  const child = fork(join(import.meta.dirname, file), [JSON.stringify(place)]);
  const port = await answer<number>(child);
  return {
    port,
    look() {
      const looked = answer<Look>(child);
      child.send('look');
      return looked;
    },
    async stop() {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

/** @throws when the process ends instead */
function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`The server ended with code ${code}.`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as T);
    });
  });
}
