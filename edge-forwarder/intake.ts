/**
 * From rows to stored frames: group commit of frames, position and counters.
 *
 * Owns: the frames being built, the input's position, the commit timer. Entirely synchronous; the input awaits `blocked()`.
 *
 * IN1  A commit covers exactly the input up to its position: all open batches are closed first.
 * IN2  What was accepted is committed within one commit interval, however little follows (no stuck tail).
 * IN3  While a commit finds no room, what it holds is kept, the input stands still, and it is tried again with every interval
 *      and after every confirmation.
 */
import { type Clock, MillraceError, type Partitioner } from '#wire';
import type { FrameStage } from './frame-stage.ts';
import type { Input, InputPort } from './input.ts';
import type { Outbox } from './outbox.ts';
import type { RejectsFile } from './rejects.ts';

export interface IntakeOptions<Row> {
  readonly outbox: Outbox;
  readonly stage: FrameStage<Row>;
  readonly rejects: RejectsFile;
  readonly partitioner: Partitioner<Row>;
  readonly input: Pick<Input<Row>, 'name' | 'origin'>;
  readonly clock: Clock;
  readonly commitIntervalMs: number;
  /** Closed frames that wait for a commit; reaching it commits at once. */
  readonly stagedBytesMax: number;
  /** Frames were stored. */
  readonly onStored: () => void;
  /** A commit failed for good, from a timer that nobody awaits. */
  readonly onFailure: (error: unknown) => void;
}

export class Intake<Row> {
  readonly #options: IntakeOptions<Row>;
  readonly port: InputPort<Row>;
  /** Of this run. */
  accepted = 0;
  rejected = 0;
  commits = 0;
  #position: number;
  #acceptedOpen = 0;
  #rejectedOpen = 0;
  #storedPosition: number;
  #cancelTimer: (() => void) | null = null;
  #full = false;
  #waiting: (() => void)[] = [];
  #failure: unknown = null;

  /** @throws MR_CONFIG_INVALID when the stored position belongs to another origin */
  constructor(options: IntakeOptions<Row>) {
    this.#options = options;
    this.#position = startPosition(options);
    this.#storedPosition = this.#position;
    this.port = {
      position: this.#position,
      accept: (row) => this.#accept(row),
      reject: (reason, text) => this.#reject(reason, text),
      skip: () => this.#moved(),
      blocked: () => this.#blocked(),
    };
  }

  /** True while the outbox has no room for what was accepted. */
  get full(): boolean {
    return this.#full;
  }

  /** Stores everything accepted so far. False when there is no room. @throws MR_EDGE_OUTBOX */
  commit(): boolean {
    const { outbox, stage, rejects, input } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.#position === this.#storedPosition) return true;
    rejects.flush();
    const position = { name: input.name, origin: input.origin, position: this.#position };
    const change = {
      frames: stage.seal(),
      input: position,
      accepted: this.#acceptedOpen,
      rejected: this.#rejectedOpen,
    };
    this.#full = outbox.commit(change) === 'full';
    if (this.#full) {
      this.#commitLater();
      return false;
    }
    stage.taken();
    this.commits++;
    this.#storedPosition = this.#position;
    this.#acceptedOpen = 0;
    this.#rejectedOpen = 0;
    this.#release();
    this.#options.onStored();
    return true;
  }

  /** Room may be there again (IN3). */
  retry(): void {
    if (this.#full) this.#guarded(() => this.commit());
  }

  /** Ends waiting, e.g. to stop. */
  release(): void {
    this.#release();
  }

  #accept(row: Row): void {
    this.#options.stage.add(row, this.#options.partitioner(row));
    this.accepted++;
    this.#acceptedOpen++;
    this.#moved();
    if (this.#options.stage.closedBytes >= this.#options.stagedBytesMax && !this.#full) this.commit();
  }

  #reject(reason: string, text: string): void {
    this.#options.rejects.add(this.#position, reason, text);
    this.rejected++;
    this.#rejectedOpen++;
    this.#moved();
  }

  #moved(): void {
    this.#position++;
    this.#commitLater();
  }

  #commitLater(): void {
    this.#cancelTimer ??= this.#options.clock.after(this.#options.commitIntervalMs, () => {
      this.#cancelTimer = null;
      this.#guarded(() => this.commit());
    });
  }

  #blocked(): Promise<void> | null {
    if (this.#failure !== null) throw this.#failure;
    if (!this.#full) return null;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failure = error;
      this.#release();
      this.#options.onFailure(error);
    }
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function startPosition({ outbox, input }: Pick<IntakeOptions<unknown>, 'outbox' | 'input'>): number {
  const stored = outbox.input(input.name);
  if (stored === null) return 0;
  if (stored.origin === input.origin) return stored.position;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `The outbox is at position ${stored.position} of input '${input.name}' ${stored.origin}, asked for ${input.origin}. ` +
      'Start with the same settings, or give --outbox another directory.',
  );
}
