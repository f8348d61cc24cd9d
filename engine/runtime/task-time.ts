/** Where the time of a subtask went, ms since it was made. The three shares sum to how long it has been there. */
export interface TaskTimes {
  /** With something to do: in its own turns, and waiting for one while other tasks had the thread. */
  readonly busyMs: number;
  /** With nothing to take. */
  readonly idleMs: number;
  /** Held up by what comes after it: no room in an output, or in an operator that calls out. */
  readonly backpressuredMs: number;
  /** The part of `busyMs` in its own turns. Over the tasks of one thread it sums to at most the time that passed. */
  readonly runningMs: number;
}

/** Why a turn ended: its time was up (and there may be more), there was nothing to take, or no room for what would come of it. */
export type Rest = 'queued' | 'idle' | 'backpressured';

/**
 * Adds up where a task's time goes, from clock readings at the edges of turns: none per record. A task without input cannot know
 * when the first comes: it is told ({@link arrived}), or finds it in its next turn, and then has waited for the thread at least since
 * the round began.
 *
 * TT1 at every reading, the three shares sum to the time since the task was made, also within a turn and between two.
 * TT2 no share ever decreases.
 * TT3 time in which there was something to take and room for it is never idle, except up to the end of the turn in which it came.
 * TT4 after {@link end} nothing is added.
 */
export class TaskTime {
  #state: Rest | 'running' | 'ended' = 'idle';
  #sinceMs: number;
  /** Idle: from when on there is something to take, as far as is known. */
  #arrivedMs: number | null = null;
  /** Running: waited before this turn, perhaps with something to take; decided by what the turn finds. */
  #undecidedMs = 0;
  #busyMs = 0;
  #idleMs = 0;
  #backpressuredMs = 0;
  #runningMs = 0;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** A turn begins. @param roundMs when the thread began this round of turns: what came from outside was there by then */
  turn(nowMs: number, roundMs: number): void {
    if (this.#state === 'idle') {
      const arrivedMs = Math.max(this.#sinceMs, this.#arrivedMs ?? Math.min(roundMs, nowMs));
      this.#add(arrivedMs);
      this.#undecidedMs = nowMs - arrivedMs;
      this.#sinceMs = nowMs;
    } else {
      this.#add(nowMs);
    }
    this.#arrivedMs = null;
    this.#enter('running');
  }

  /** The turn has found something to take. */
  found(): void {
    this.#busyMs += this.#undecidedMs;
    this.#undecidedMs = 0;
  }

  /** The turn is over. */
  rest(nowMs: number, why: Rest): void {
    this.#add(nowMs);
    this.#enter(why);
  }

  /** Another task's turn, which ended at `nowMs`, has left something to take. */
  arrived(nowMs: number): void {
    if (this.#state === 'idle') this.#arrivedMs ??= Math.max(nowMs, this.#sinceMs);
  }

  /** The thread does not give turns any more. */
  end(nowMs: number): void {
    this.#add(nowMs);
    this.#enter('ended');
  }

  read(nowMs: number): TaskTimes {
    this.#add(nowMs);
    return {
      busyMs: this.#busyMs,
      idleMs: this.#idleMs,
      backpressuredMs: this.#backpressuredMs,
      runningMs: this.#runningMs,
    };
  }

  #enter(state: Rest | 'running' | 'ended'): void {
    if (this.#state !== 'ended') this.#state = state;
  }

  #add(nowMs: number): void {
    const ms = nowMs - this.#sinceMs;
    this.#idleMs += this.#undecidedMs;
    this.#undecidedMs = 0;
    this.#sinceMs = nowMs;
    switch (this.#state) {
      case 'running':
        this.#runningMs += ms;
        this.#busyMs += ms;
        break;
      case 'queued':
        this.#busyMs += ms;
        break;
      case 'idle':
        this.#idleMs += ms;
        break;
      case 'backpressured':
        this.#backpressuredMs += ms;
        break;
      case 'ended':
        break;
    }
  }
}
