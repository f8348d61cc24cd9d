import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Clock } from '#wire';
import type { OutboxFrame } from '../../edge-forwarder/outbox-change.ts';
import type { Outbox, OutboxOptions } from '../../edge-forwarder/outbox.ts';
import { virtualClock } from '../../operators/testing/index.ts';

export const MIB = 1024 * 1024;
/** Thousands of commits: on a busy disk their syncs would take minutes. */
export const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Time that only moves when told. */
export function manualClock() {
  const clock = virtualClock();
  return { clock, advance: clock.advance };
}

/** A folder for one outbox, gone after the test. */
export function directory(t: Pick<Test, 'teardown'>): string {
  const path = mkdtempSync(join(MEMORY, 'mr-outbox-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function options(path: string, clock: Clock, more: Partial<OutboxOptions> = {}): OutboxOptions {
  return {
    directory: path,
    bytesMax: 16 * MIB,
    whenFull: 'block',
    graceMs: 1_000,
    graceBytesMax: 16 * MIB,
    clock,
    ...more,
  };
}

/** Content that names its sequence, so that a mix-up shows. */
export function content(partition: number, first: number, size: number): Uint8Array {
  return new Uint8Array(size).fill((partition * 31 + first) & 0xff);
}

/** The next frame of a lane, of so many records. */
export function frame(outbox: Outbox, partition: number, records: number, size = 200): OutboxFrame {
  const first = outbox.lane(partition).next;
  return { partition, first, last: first + records - 1, bytes: content(partition, first, size) };
}

/** Commits frames as one read of the input `in`. */
export function store(outbox: Outbox, frames: readonly OutboxFrame[], position = 0): 'stored' | 'full' {
  const accepted = frames.reduce((sum, f) => sum + f.last - f.first + 1, 0);
  return outbox.commit({ frames, input: { name: 'in', origin: 'o', position }, accepted, rejected: 0 });
}
