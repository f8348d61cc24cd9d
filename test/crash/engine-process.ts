import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Trap } from './incident.ts';
import type { JobProcessSetup, JobReport } from './job-process.ts';
import type { PlantedBug } from './planted-bug.ts';

const PROGRAM = fileURLToPath(new URL('./job-process.ts', import.meta.url));
const NOISE_MAX = 4_096;

export type JobStatusReport = Extract<JobReport, { kind: 'status' }>;
export type JobEndReport = Extract<JobReport, { kind: 'ended' }>;

/** How a process stopped running: by SIGKILL, frozen by its own trap (it still exists), or by its own decision. */
export type Outcome =
  | { readonly kind: 'killed'; readonly point: string | null }
  | { readonly kind: 'frozen'; readonly point: string }
  | { readonly kind: 'ended'; readonly end: JobEndReport };

export interface EngineOptions extends Omit<JobProcessSetup, 'trap'> {
  readonly plantedBug: PlantedBug | null;
  /** Where Node keeps compiled code, so that a short life is not spent on compiling. */
  readonly compileCache: string;
}

/** One life of the engine process. It dies with this process at the latest. */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #outcome = Promise.withResolvers<Outcome>();
  readonly #gone = Promise.withResolvers<Outcome>();
  #status: JobStatusReport | null = null;
  #trapped: Trap | null = null;
  #end: JobEndReport | null = null;
  #noise = '';

  constructor(options: EngineOptions, trap: Trap | null) {
    const { plantedBug, compileCache, ...setup } = options;
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify({ ...setup, trap })], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: compileCache,
        ...(plantedBug === null ? {} : { MILLRACE_PLANTED_BUG: plantedBug }),
      },
    });
    const endWithUs = () => this.#child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#noise = (this.#noise + chunk.toString()).slice(-NOISE_MAX);
    });
    this.#child.on('error', () => undefined); // a message to a process that has just died
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => this.#take(JSON.parse(line) as JobReport));
    this.#child.once('close', (code, signal) => {
      process.off('exit', endWithUs);
      const outcome = this.#outcomeOf(code, signal);
      this.#outcome.resolve(outcome);
      this.#gone.resolve(outcome);
    });
  }

  /** The newest status it has reported. */
  get status(): JobStatusReport | null {
    return this.#status;
  }

  /** When it no longer runs: killed, frozen or ended. */
  get outcome(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  /** When the process is gone: for a frozen one later than {@link outcome}. */
  get gone(): Promise<Outcome> {
    return this.#gone.promise;
  }

  setTrap(trap: Trap): void {
    this.#child.send(trap, () => undefined);
  }

  signal(signal: 'SIGKILL' | 'SIGCONT' | 'SIGTERM'): void {
    this.#child.kill(signal);
  }

  #take(report: JobReport): void {
    switch (report.kind) {
      case 'status':
        this.#status = report;
        return;
      case 'trapped':
        this.#trapped = report.trap;
        if (report.trap.action === 'freeze')
          this.#outcome.resolve({ kind: 'frozen', point: report.trap.point });
        return;
      case 'ended':
        this.#end = report;
        return;
    }
  }

  #outcomeOf(code: number | null, signal: NodeJS.Signals | null): Outcome {
    if (signal === 'SIGKILL')
      return { kind: 'killed', point: this.#trapped?.action === 'kill' ? this.#trapped.point : null };
    const state = `exit ${code ?? signal}`;
    const lost: JobEndReport = { kind: 'ended', state, checkpoint: null, code: null, message: this.#noise };
    return { kind: 'ended', end: this.#end ?? lost };
  }
}
