import {
  type EngineOptions,
  EngineProcess,
  type JobEndReport,
  type JobStatusReport,
} from './engine-process.ts';
import { type Incident, isRestorePoint, type Trap } from './incident.ts';

/** What a thawed attempt may end with: the fences, or the log that has moved on without it. */
const FENCED_CODES: readonly (string | null)[] = ['MR_SINK_FENCED', 'MR_CHECKPOINT_FENCED', 'MR_LOG_TRIMMED'];
/** A frozen attempt is thawed when its successor's event time is this far ahead: late records have changed what it holds. */
const THAW_AHEAD_MS = 6_500;

interface Zombie {
  readonly process: EngineProcess;
  readonly watermark: number;
  thawed: boolean;
}

/**
 * Keeps the engine running: starts it again at once whenever it dies, and sees to it that it dies as planned.
 *
 * ES1 one incident at a time, in order; each is set up when the job has read its share of the input, or, in restoring, at the start.
 * ES2 a frozen process gets a successor at once, is thawed when that one is well ahead, and must then end by itself.
 */
export class EngineSupervisor {
  readonly #options: EngineOptions;
  readonly #incidents: Incident[];
  readonly #zombies: Zombie[] = [];
  readonly deaths = new Map<string, number>();
  readonly problems: string[] = [];
  #engine: EngineProcess;
  #armed = false;
  #stopping = false;
  #consumed = 0;
  #restartsInside = 0;
  #cancelRandom: () => void = () => {};
  readonly #stopped = Promise.withResolvers<JobEndReport>();

  constructor(options: EngineOptions, incidents: readonly Incident[]) {
    this.#options = options;
    this.#incidents = [...incidents];
    this.#engine = this.#start();
  }

  /** Records that the job has read so far, at most. */
  get consumed(): number {
    return this.#consumed;
  }

  get watermark(): number {
    return this.#engine.status?.watermark ?? Number.NEGATIVE_INFINITY;
  }

  get status(): JobStatusReport | null {
    return this.#engine.status;
  }

  /** The job is at work, so that a trap can spring. */
  get running(): boolean {
    return this.#engine.status?.state === 'running' && this.#engine.status.checkpoints > 0;
  }

  get incidentsLeft(): number {
    return this.#incidents.length;
  }

  /** Share of the input at which the next incident is due; above 1 when there is none. */
  get nextShare(): number {
    return this.#incidents[0]?.atShare ?? 2;
  }

  /** Attempts that the engine has started by itself, after an error. */
  get restartsInside(): number {
    return this.#restartsInside + (this.#engine.status?.restarts ?? 0);
  }

  /** Looks at the engine: call it often. @param events size of the input */
  tick(events: number): void {
    this.#consumed = Math.max(this.#consumed, this.#engine.status?.consumed ?? 0);
    this.#armWhenDue(this.#consumed / events);
    for (const zombie of this.#zombies) {
      if (!zombie.thawed && this.watermark >= zombie.watermark + THAW_AHEAD_MS) this.#thaw(zombie);
    }
  }

  /** Lets everything frozen go on and waits for its end. */
  async thawAll(timeoutMs: number): Promise<void> {
    for (const zombie of this.#zombies) if (!zombie.thawed) this.#thaw(zombie);
    const late = new Promise<null>((resolve) => setTimeout(resolve, timeoutMs, null).unref());
    for (const { process } of this.#zombies) {
      if ((await Promise.race([process.gone, late])) !== null) continue;
      this.problems.push(`a thawed attempt was still running ${timeoutMs} ms later`);
      process.signal('SIGKILL');
    }
  }

  /** Stops the job in good order. */
  async stop(): Promise<JobEndReport> {
    this.#stopping = true;
    this.#engine.signal('SIGTERM');
    return this.#stopped.promise;
  }

  /** Ends every process, whatever it does. */
  async kill(): Promise<void> {
    this.#stopping = true;
    this.#cancelRandom();
    const all = [this.#engine, ...this.#zombies.map(({ process }) => process)];
    for (const process of all) process.signal('SIGKILL');
    await Promise.all(all.map((process) => process.gone));
  }

  #start(): EngineProcess {
    const trap = this.#trapAtStart();
    this.#armed = trap !== null;
    const engine = new EngineProcess(this.#options, trap);
    this.#engine = engine;
    void engine.outcome.then((outcome) => {
      this.#cancelRandom();
      this.#restartsInside += engine.status?.restarts ?? 0;
      if (outcome.kind === 'ended') return this.#ended(outcome.end);
      this.#noteDeath(outcome.kind === 'frozen' ? `frozen at ${outcome.point}` : (outcome.point ?? 'random'));
      if (outcome.kind === 'frozen') this.#keepZombie(engine);
      if (!this.#stopping) this.#start();
    });
    return engine;
  }

  #trapAtStart(): Trap | null {
    const [next] = this.#incidents;
    if (next?.kind !== 'trap') return null;
    return isRestorePoint(next.trap.point) ? next.trap : null;
  }

  #armWhenDue(share: number): void {
    const [next] = this.#incidents;
    if (next === undefined || this.#armed || !this.running || share < next.atShare) return;
    this.#armed = true;
    const engine = this.#engine;
    if (next.kind === 'random') {
      const timer = setTimeout(() => engine.signal('SIGKILL'), next.delayMs);
      this.#cancelRandom = () => clearTimeout(timer);
    } else if (isRestorePoint(next.trap.point)) {
      engine.signal('SIGKILL'); // to have something to restore
      this.#armed = false;
    } else engine.setTrap(next.trap);
  }

  #noteDeath(how: string): void {
    const [next] = this.#incidents;
    const planned = next?.kind === 'random' ? 'random' : next?.trap.point;
    if (this.#armed && planned !== undefined && how.endsWith(planned)) this.#incidents.shift();
    this.deaths.set(how, (this.deaths.get(how) ?? 0) + 1);
  }

  #keepZombie(process: EngineProcess): void {
    this.#zombies.push({
      process,
      watermark: process.status?.watermark ?? Number.NEGATIVE_INFINITY,
      thawed: false,
    });
  }

  #thaw(zombie: Zombie): void {
    zombie.thawed = true;
    zombie.process.signal('SIGCONT');
    void zombie.process.gone.then((outcome) => {
      if (outcome.kind !== 'ended') return;
      const { state, code, message } = outcome.end;
      this.deaths.set('thawed, fenced', (this.deaths.get('thawed, fenced') ?? 0) + 1);
      if (!FENCED_CODES.includes(code))
        this.problems.push(`a thawed attempt ended as ${state}, not by a fence: ${message}`);
    });
  }

  #ended(end: JobEndReport): void {
    if (!this.#stopping)
      this.problems.push(`the job ended as ${end.state} by itself: ${end.code}: ${end.message}`);
    this.#stopped.resolve(end);
  }
}
