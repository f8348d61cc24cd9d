import { cpuMs, type Outcome } from '../t1/outcome.ts';
import type { Feed } from './feed.ts';
import { ResultDigest } from './result-digest.ts';
import type { Variant } from './workload.ts';
import { WORKLOADS } from './workloads.ts';

/**
 * One variant of one workload in one process: `node --expose-gc once.ts <workload> <hand|engine> <events> <keys>`; prints its outcome
 * as JSON. Up to a million events of another feed are run once before, uncounted, so that what is measured is compiled code.
 */
const [name = '', variant = '', eventsText, keysText] = process.argv.slice(2);
const workload = WORKLOADS[name];
if (workload === undefined || (variant !== 'hand' && variant !== 'engine'))
  throw new Error(`no workload '${name}' with a variant '${variant}'`);
const { feed, eventsShare } = workload;
const run = variant === 'hand' ? workload.byHand : workload.byEngine;
const events = Math.ceil(Number(eventsText) * eventsShare);
const keys = Number(keysText);

outcomeOf(run, feed({ events: Math.min(events, 1_000_000), keys, seed: 41 }));
const outcome = outcomeOf(run, feed({ events, keys, seed: 42 }));
process.stdout.write(`${JSON.stringify({ ...outcome, variant })}\n`);

function outcomeOf(of: Variant, input: Feed): Omit<Outcome, 'variant'> {
  const digest = new ResultDigest();
  // What making the feed has left behind is nobody's cost.
  globalThis.gc?.();
  const startedCpu = cpuMs();
  const startedWall = performance.now();
  of(input, digest);
  const cpu = cpuMs() - startedCpu;
  const wallMs = performance.now() - startedWall;
  return { events: input.events, cpuMs: cpu, wallMs, rows: digest.results, digest: digest.text() };
}
