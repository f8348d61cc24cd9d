import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Clock, Random } from '#wire';
import { decideRestart } from './restart-decision.ts';

export interface KeptProcessOptions {
  /** For people. */
  readonly name: string;
  readonly program: string;
  /** A function is asked before each start. */
  readonly args: readonly string[] | (() => readonly string[]);
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Node programs get a channel, whose end tells them that we are gone. */
  readonly ipc: boolean;
  /** From SIGTERM to SIGKILL. */
  readonly stopMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly say: (line: string) => void;
  readonly onMessage?: (message: unknown) => void;
  /** It will not be restarted any more. */
  readonly onGiveUp: (why: string) => void;
}

type Phase =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'running';
      readonly child: ChildProcess;
      readonly gone: Promise<void>;
      readonly since: number;
    }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'ended' };

const LINE_CHARS_MAX = 2_000;

/**
 * A child process that is started again, after a bounded backoff, whenever it ends by itself.
 * Owns the process, its pipes and its restart timer; nothing else. Suspension point: {@link stop}.
 *
 * KP1 at most one child runs at a time.
 * KP2 after `stop` or `kill` no child runs and none starts.
 * KP3 the child has its own process group: Ctrl-C of the terminal reaches the supervisor alone, which ends the
 *     children in order.
 */
export class KeptProcess {
  readonly #options: KeptProcessOptions;
  #phase: Phase = { kind: 'idle' };
  /** The newest child, also while it is being stopped. */
  #alive: ChildProcess | null = null;
  #inRow = 0;

  constructor(options: KeptProcessOptions) {
    this.#options = options;
  }

  /** Null while it does not run. */
  get pid(): number | null {
    return this.#phase.kind === 'running' ? (this.#phase.child.pid ?? null) : null;
  }

  /** Starts the child unless it runs or was stopped. */
  start(): void {
    if (this.#phase.kind !== 'idle' && this.#phase.kind !== 'waiting') return; // KP1, KP2
    const { program, args, env, ipc, clock, onMessage } = this.#options;
    const child = spawn(program, typeof args === 'function' ? args() : args, {
      detached: true, // KP3
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', ipc ? 'ipc' : 'ignore'],
    });
    this.#alive = child;
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    this.#phase = { kind: 'running', child, gone, since: clock.monotonic() };
    this.#forward(child.stdout);
    this.#forward(child.stderr);
    if (onMessage !== undefined) child.on('message', onMessage);
    child.once('error', (error) => {
      this.#options.say(`${program} could not be started: ${error.message}`);
      if (child.pid === undefined) this.#ended(null, resolve);
    });
    child.once('exit', (code, signal) => {
      if (signal !== null) this.#options.say(`ended by ${signal}`);
      this.#ended(code, resolve);
    });
  }

  /** Ends it in good order: SIGTERM, and SIGKILL when `stopMs` have gone by. */
  async stop(): Promise<void> {
    const phase = this.#end();
    if (phase.kind !== 'running') return;
    const { stopMs, clock, say } = this.#options;
    phase.child.kill('SIGTERM');
    const cancel = clock.after(stopMs, () => {
      say(`did not stop within ${stopMs / 1_000} s and is killed`);
      phase.child.kill('SIGKILL');
    });
    await phase.gone;
    cancel();
  }

  /** SIGKILL, without waiting. */
  kill(): void {
    this.#alive?.kill('SIGKILL');
    this.#end();
  }

  #end(): Phase {
    const phase = this.#phase;
    if (phase.kind === 'waiting') phase.cancel();
    this.#phase = { kind: 'ended' };
    return phase;
  }

  #ended(code: number | null, gone: () => void): void {
    gone();
    const phase = this.#phase;
    this.#alive = null;
    if (phase.kind !== 'running') return;
    const { clock, random, say, onGiveUp } = this.#options;
    const decision = decideRestart(
      { code, ranMs: clock.monotonic() - phase.since, inRow: this.#inRow },
      random,
    );
    if (decision.kind === 'give-up') {
      this.#phase = { kind: 'ended' };
      onGiveUp(decision.why);
      return;
    }
    this.#inRow = decision.inRow;
    say(`ended${code === null ? '' : ` with code ${code}`}; starting it again in ${decision.afterMs} ms`);
    this.#phase = { kind: 'waiting', cancel: clock.after(decision.afterMs, () => this.start()) };
  }

  #forward(stream: Readable | null): void {
    if (stream === null) return;
    createInterface({ input: stream }).on('line', (line) => this.#options.say(line.slice(0, LINE_CHARS_MAX)));
  }
}
