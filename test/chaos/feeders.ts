import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import type { FeederReport, FeederSetup } from './feeder-process.ts';
import { dueAfter, type Workload } from './workload.ts';

const PROGRAM = fileURLToPath(new URL('./feeder-process.ts', import.meta.url));
const PACE_MS = 20;

export type FeedersOptions = Omit<FeederSetup, 'feeder' | 'file'> & { readonly folder: string };

/** The feeder processes of a run; starts again what dies, and paces them all. */
export class Feeders {
  readonly problems: string[] = [];
  readonly #options: FeedersOptions;
  readonly #children: Child[] = [];
  readonly #reports: (FeederReport | null)[] = [];
  #pacing: NodeJS.Timeout;
  #elapsedMs = 0;
  #pacedAtMs = performance.now();
  #due = 0;
  #ended = false;
  #reopened = 0;

  constructor(options: FeedersOptions) {
    this.#options = options;
    for (let feeder = 0; feeder < options.workload.feeders; feeder++) this.#start(feeder);
    this.#due = options.workload.coldKeysPerLane;
    this.#pacing = setInterval(() => this.#tell(), PACE_MS);
  }

  get workload(): Workload {
    return this.#options.workload;
  }

  /** Records of each (feeder, lane) that were let go so far. */
  get due(): number {
    return this.#due;
  }

  /** All feeders have seen confirmed what was due. */
  get done(): boolean {
    return this.#reports.every((report) => report?.confirmed.every((n) => n >= this.#due) ?? false);
  }

  /** Records that feeders have seen confirmed. */
  get confirmed(): number {
    return this.#reports.flatMap((report) => report?.confirmed ?? []).reduce((sum, n) => sum + n, 0);
  }

  get lostConfirmed(): number {
    return this.#reports.reduce((sum, report) => sum + (report?.lostConfirmed ?? 0), 0);
  }

  /** How often a feeder had to begin anew behind what the log has. */
  get reopened(): number {
    return this.#reopened + this.#reports.reduce((sum, report) => sum + (report?.reopened ?? 0), 0);
  }

  get lastErrors(): readonly string[] {
    return this.#reports.flatMap((report) =>
      report === null || report.lastError === '' ? [] : [report.lastError],
    );
  }

  /** Lets nothing more go until it is resumed. */
  set flowing(flowing: boolean) {
    this.#paced = flowing;
    this.#pacedAtMs = performance.now();
  }

  #paced = false;

  async kill(feeder: number): Promise<void> {
    const child = this.#children[feeder] as Child;
    child.signal('SIGKILL');
    await child.gone();
  }

  async end(): Promise<void> {
    this.#ended = true;
    clearInterval(this.#pacing);
    for (const child of this.#children) child.signal('SIGKILL');
    await Promise.all(this.#children.map((child) => child.gone()));
  }

  #tell(): void {
    const nowMs = performance.now();
    if (this.#paced) {
      this.#elapsedMs += nowMs - this.#pacedAtMs;
      this.#due = dueAfter(this.#options.workload, this.#elapsedMs);
    }
    this.#pacedAtMs = nowMs;
    for (const child of this.#children) child.send(this.#due);
  }

  #start(feeder: number): void {
    const { folder, ...setup } = this.#options;
    const all: FeederSetup = { ...setup, feeder, file: join(folder, `feeder-${feeder}.json`) };
    const child = new Child([process.execPath, PROGRAM, JSON.stringify(all)], {
      log: join(folder, `feeder-${feeder}.log`),
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compile-cache') },
    });
    const before = this.#reports[feeder] ?? null;
    this.#reopened += before?.reopened ?? 0;
    const lostBefore = before?.lostConfirmed ?? 0;
    this.#children[feeder] = child;
    this.#reports[feeder] = before === null ? null : { ...before, reopened: 0 };
    child.listen((report: FeederReport) => {
      this.#reports[feeder] = { ...report, lostConfirmed: report.lostConfirmed + lostBefore };
    });
    void child.gone().then((how) => {
      if (this.#ended) return;
      if (how !== 'SIGKILL') this.problems.push(`feeder ${feeder} has ended by itself: ${how}`);
      else this.#start(feeder);
    });
  }
}
