import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** A process of ours with its output in a file. It ends with this process at the latest. */
export class Child {
  readonly #process: ChildProcess;

  constructor(
    command: readonly string[],
    options: { readonly log: string; readonly env: NodeJS.ProcessEnv },
  ) {
    const [program, ...args] = command as readonly [string, ...string[]];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: options.env });
    const out = createWriteStream(options.log, { flags: 'a' });
    child.stdout?.pipe(out, { end: false });
    child.stderr?.pipe(out, { end: false });
    const endWithUs = () => child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.on('error', () => undefined);
    child.once('close', () => {
      process.off('exit', endWithUs);
      out.end();
    });
    this.#process = child;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves when it is gone, with how it ended. */
  async gone(): Promise<string> {
    if (this.running) await once(this.#process, 'exit');
    const { exitCode, signalCode } = this.#process;
    return String(exitCode ?? signalCode);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  send(message: unknown): void {
    if (this.#process.connected) this.#process.send(message as object, () => {});
  }

  listen(heard: (message: never) => void): void {
    this.#process.on('message', heard as (message: unknown) => void);
  }
}
