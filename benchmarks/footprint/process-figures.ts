import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** User and system time so far, all threads, from /proc: fields 14 and 15 of stat, in ticks of 10 ms. */
export function processTimes({ pid }: ChildProcess): { readonly cpuMs: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * 10 };
}

export function processMemory({ pid }: ChildProcess): { readonly rssMiB: number; readonly threads: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return { rssMiB: field('VmRSS') / 1_024, threads: field('Threads') };
}
