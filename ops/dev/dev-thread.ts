import { randomUUID } from 'node:crypto';
import { on } from 'node:events';
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { type MessagePort, parentPort } from 'node:worker_threads';
import {
  type ErrorRecord,
  errorRecord,
  type HostSettings,
  type JobGraph,
  type JobHandle,
  JobRegistry,
  type JobStatus,
  loadJob,
  MillraceError,
  openStores,
  planDeploy,
  RedisConnection,
  rehearseRestore,
  runJob,
  systemClock,
  systemRandom,
  trimHeapLater,
  validateGraph,
} from '#engine';
import { progressLine } from '../supervisor/progress-line.ts';
import { type JobFigures, jobFigures } from '../telemetry/job-figures.ts';
import { failureText } from './failure-text.ts';
import { importedFiles } from './imported-files.ts';
import { ShownRecords } from './shown-records.ts';

/** What the thread is told, in this order; a stop at any time. */
export type DevCommand =
  | { readonly kind: 'load'; readonly url: string; readonly settings: HostSettings }
  | { readonly kind: 'run'; readonly state: StateWanted }
  | { readonly kind: 'stop' };

/** What becomes of the state that the job has. */
export interface StateWanted {
  /** Nothing of it is kept: the job's checkpoints are forgotten. */
  readonly fresh: boolean;
  /** Operators that the job does not have any more, whose state may be dropped. */
  readonly drop: readonly string[];
}

export type DevReport =
  | { readonly kind: 'loaded'; readonly job: string; readonly files: readonly string[] }
  /** The module cannot be loaded, or its job not run. */
  | { readonly kind: 'unusable'; readonly text: string; readonly files: readonly string[] }
  | { readonly kind: 'running'; readonly text: string }
  /** The job cannot go on from its state; `droppable` is what would have to be dropped, if that were enough. */
  | { readonly kind: 'refused'; readonly text: string; readonly droppable: readonly string[] }
  | { readonly kind: 'failed'; readonly error: ErrorRecord }
  | { readonly kind: 'line' | 'status'; readonly text: string }
  | { readonly kind: 'stopped'; readonly checkpoint: number | null };

const STATUS_MS = 1_000;
/** A person waits for this. */
const UNAVAILABLE_MS = 5_000;

/**
 * One version of a job that is being written, in a thread of its own: what its code leaves behind ends with it.
 * Owns the job and its connections. Suspends between commands.
 */
class DevThread {
  readonly #port: MessagePort;
  #settings: HostSettings | null = null;
  #graph: JobGraph | null = null;
  #files: ReadonlySet<string> = new Set();
  #handle: JobHandle | null = null;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Resolves when it was told to stop and has. */
  async serve(): Promise<void> {
    for await (const [command] of on(this.#port, 'message') as AsyncIterable<[DevCommand]>) {
      if (command.kind === 'load') await this.#load(command.url, command.settings);
      else if (command.kind === 'run') await this.#run(command.state);
      else return this.#report({ kind: 'stopped', checkpoint: (await this.#handle?.stop()) ?? null });
    }
  }

  async #load(url: string, settings: HostSettings): Promise<void> {
    const files = importedFiles(url);
    this.#files = files;
    try {
      const graph = (await loadJob(url, settings)).graph();
      validateGraph(graph);
      this.#settings = settings;
      this.#graph = graph;
      this.#report({ kind: 'loaded', job: graph.name, files: [...files] });
    } catch (error) {
      this.#report({ kind: 'unusable', text: failureText(error, files), files: [...files] });
    }
  }

  async #run(state: StateWanted): Promise<void> {
    const [graph, settings] = [this.#graph, this.#settings];
    if (graph === null || settings === null) return;
    try {
      await refuseDeployed(graph.name, settings);
      const { log, store } = await openStores({ ...settings, unavailableMs: UNAVAILABLE_MS });
      if (state.fresh) for (const { id } of await store.list(graph.name)) await store.remove(graph.name, id);
      const manifest = await store.latest(graph.name);
      if (manifest !== null) {
        const refusals = await rehearseRestore(store, graph, manifest);
        const plan = planDeploy(graph, manifest, { allowNonRestored: state.drop, refusals });
        if (plan.verdict === 'refused')
          return this.#report({ kind: 'refused', text: plan.text, droppable: droppable(plan) });
      }
      const shown = new ShownRecords(systemClock, (text) => this.#line(text));
      this.#handle = runJob(shown.showing(graph), {
        namespace: settings.namespace,
        redisUrl: settings.redisUrl,
        log,
        store,
        clock: systemClock,
        random: systemRandom,
        uuid: () => randomUUID(),
        owner: `${hostname()}:${process.pid}`,
        allowNonRestored: state.drop,
        onFailure: (error) => this.#line(`! ${failureText(error, this.#files)}`),
        onDeadLetter: ({ operator, message, record }) =>
          shown.record(`! dead letter of ${operator}:`, record, message),
      });
      const from = manifest === null ? 'from nothing' : `from checkpoint ${manifest.id}`;
      this.#report({ kind: 'running', text: `Job '${graph.name}' runs ${from}.` });
      this.#watch(this.#handle);
      flushCompileCache();
    } catch (error) {
      this.#report({ kind: 'failed', error: errorRecord(error) });
    }
  }

  /** Shows how the job stands every second, and its end. */
  #watch(handle: JobHandle): void {
    let earlier: JobFigures | null = null;
    const tell = () => {
      const status = handle.status();
      earlier = jobFigures(status, systemClock.now(), earlier);
      this.#report({ kind: 'status', text: statusText(status, earlier) });
      cancel = systemClock.after(STATUS_MS, tell);
    };
    let cancel = systemClock.after(STATUS_MS, tell);
    void handle.done.then((state) => {
      cancel();
      if (state !== 'stopped')
        this.#line(`Job '${handle.name}' is ${state}. It starts again when a file changes.`);
    });
  }

  #line(text: string): void {
    this.#report({ kind: 'line', text });
  }

  #report(report: DevReport): void {
    this.#port.postMessage(report);
  }
}

/** Its workers and this thread would take it from each other. @throws MR_API_CONFLICT */
async function refuseDeployed(job: string, { redisUrl: url, namespace }: HostSettings): Promise<void> {
  const shared = { url, clock: systemClock, unavailableMs: UNAVAILABLE_MS };
  const link = await RedisConnection.open({ ...shared, name: `millrace:${namespace}:dev` });
  try {
    const registry = new JobRegistry({ link, namespace, clock: systemClock, uuid: () => randomUUID() });
    if ((await registry.desired(job))?.desired !== 'running') return;
    throw new MillraceError(
      'MR_API_CONFLICT',
      `Job '${job}' is to run on the workers of namespace '${namespace}'. Stop it there, or give --namespace another name.`,
    );
  } finally {
    link.close();
  }
}

function droppable({ operators, maxParallelism }: ReturnType<typeof planDeploy>): readonly string[] {
  const isKept = operators.some(({ status }) => status === 'incompatible');
  if (isKept || maxParallelism.from !== maxParallelism.to) return [];
  return operators.flatMap(({ id, status }) => (status === 'orphaned' ? [id] : []));
}

function statusText(status: JobStatus, figures: JobFigures): string {
  const newest = status.checkpoints.history.find(({ outcome }) => outcome === 'completed');
  return progressLine({
    job: status.name,
    state: status.state,
    figures,
    checkpointAgeMs:
      newest === undefined ? null : Math.max(0, figures.at - newest.triggeredAt - newest.durationMs),
    lakeRows: figures.lakeRows,
    failure: null,
  });
}

if (parentPort !== null) {
  trimHeapLater(systemClock);
  await new DevThread(parentPort).serve();
  process.exit(0); // of the thread alone, with whatever the job's code has left open
}
