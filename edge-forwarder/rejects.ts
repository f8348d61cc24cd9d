import { appendFileSync, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#wire';

const FILE = 'rejects.jsonl';
/** Rejects waiting for the next {@link RejectsFile.flush}; more are counted, not kept. */
const WAITING_MAX = 1_000;
const TEXT_CHARACTERS_MAX = 1_024;

/**
 * Input that could not become a record, with the reason: JSON lines in `rejects.jsonl`, at most about `bytesMax` and one
 * older file of that size. Written before the commit that counts them, so after a crash a line may be there twice, never not at all
 * (beyond {@link WAITING_MAX} per commit they are only counted).
 */
export class RejectsFile {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #clock: Clock;
  #waiting: string[] = [];
  #bytes: number;

  constructor(directory: string, bytesMax: number, clock: Clock) {
    mkdirSync(directory, { recursive: true });
    this.#path = join(directory, FILE);
    this.#bytesMax = bytesMax;
    this.#clock = clock;
    this.#bytes = existsSync(this.#path) ? statSync(this.#path).size : 0;
  }

  add(position: number, reason: string, text: string): void {
    if (this.#waiting.length >= WAITING_MAX) return;
    const at = new Date(this.#clock.now()).toISOString();
    this.#waiting.push(
      `${JSON.stringify({ at, position, reason, text: text.slice(0, TEXT_CHARACTERS_MAX) })}\n`,
    );
  }

  /** Writes what waits. A disk that refuses does not stop the forwarder: rejects are counted in the outbox as well. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join('');
    this.#waiting = [];
    try {
      if (this.#bytes + text.length > this.#bytesMax && this.#bytes > 0) {
        renameSync(this.#path, `${this.#path}.1`);
        this.#bytes = 0;
      }
      appendFileSync(this.#path, text);
      this.#bytes += Buffer.byteLength(text);
    } catch {
      // Nothing to do: the count in the outbox stands.
    }
  }
}
