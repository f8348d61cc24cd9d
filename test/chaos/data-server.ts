import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../support/redis-cluster.ts';
import { launch, serverProgram } from '../support/redis-server.ts';

export interface DataServerOptions {
  readonly host: string;
  readonly port: number;
  /** Made when it is not there. */
  readonly dir: string;
  /** Lines of its configuration file, beside the usual ones. Sentinel has it rewritten. */
  readonly settings: Readonly<Record<string, string>>;
  readonly sentinel?: boolean;
}

/**
 * One server that is killed, frozen and started again on its own data and configuration file, as an installed one would be. It ends with this
 * process at the latest.
 */
export class DataServer {
  readonly host: string;
  readonly port: number;
  readonly socket: string;
  readonly #config: string;
  readonly #args: readonly string[];
  #process: ChildProcess | null = null;

  constructor({ host, port, dir, settings, sentinel = false }: DataServerOptions) {
    this.host = host;
    this.port = port;
    mkdirSync(dir, { recursive: true });
    this.socket = join(dir, 'server.sock');
    this.#config = join(dir, 'server.conf');
    this.#args = sentinel ? [this.#config, '--sentinel'] : [this.#config];
    const all = { port, bind: host, unixsocket: this.socket, dir, ...settings };
    const lines = Object.entries(all).flatMap(([name, value]) =>
      String(value)
        .split('\n')
        .map((one) => `${name} ${one}`),
    );
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }

  /** Resolves when it answers. @param args of the command line, which go before what the file says */
  async start(...args: readonly string[]): Promise<void> {
    this.#process = await launch(serverProgram(), [...this.#args, ...args], this.socket);
  }

  get running(): boolean {
    const child = this.#process;
    return child !== null && child.exitCode === null && child.signalCode === null;
  }

  /** Resolves when it is gone, by whatever. */
  async gone(): Promise<void> {
    if (this.running) await once(this.#process as ChildProcess, 'exit');
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    this.#process?.kill(signal);
    await this.gone();
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  ask(command: string, ...args: (string | number)[]): Promise<unknown> {
    return ask({ url: this.socket }, command, ...args);
  }

  /** The fields of INFO replication; null when it does not answer within a second. */
  async replication(): Promise<ReadonlyMap<string, string> | null> {
    const text = await Promise.race([
      this.ask('INFO', 'replication').then(String, () => null),
      sleep(1_000, null, { ref: false }),
    ]);
    if (text === null) return null;
    return new Map(
      text
        .split('\r\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)] as const),
    );
  }
}

/** Polls until `holds` gives something. */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  holds: () => Promise<T | null>,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await holds();
    if (found !== null) return found;
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}
