import { setImmediate } from 'node:timers/promises';
import {
  Attempt,
  DeadLetter,
  deadLetterTopic,
  errorText,
  hostInThisThread,
  type JobGraph,
  type JobOptions,
  memoryLogStore,
  MillraceError,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  type Ownership,
  planExecution,
  seededRandom,
  type TaskHost,
} from '#engine';
import type { JobDefinition } from '../job.ts';
import { readTopic } from './read-topic.ts';
import { Collected, collectingSink, type TestOutput } from './collecting-sink.ts';
import { isMarker, type Marker, type TestInput } from './script.ts';
import { type ScriptCursor, scriptSource } from './script-source.ts';
import { virtualClock } from './virtual-clock.ts';

export interface JobTestOptions {
  /** Per source id, what it gives. Sources take turns, one element each, in this order. */
  readonly inputs: Readonly<Record<string, TestInput>>;
  /** Default: the job's own. */
  readonly parallelism?: number;
  /** After every element: snapshot, throw everything away, restore into new instances. Default false. */
  readonly restoreAfterEveryStep?: boolean;
  /** Parallelism after the first, second, … restore, round and round. Default: unchanged. */
  readonly rescale?: readonly number[];
  /** No generated code. Default false. */
  readonly interpreted?: boolean;
  /** Where the wall clock starts, epoch ms. Default 0. */
  readonly startTime?: number;
  /** Whether the sources end after their last element, which brings all windows and timers to their end. Default true. */
  readonly endOfInput?: boolean;
}

export interface JobTestResult {
  /** What a sink has been given, each record once: by checkpoint, then by subtask, then in order of arrival. @throws MR_CONFIG_INVALID for an unknown id */
  readonly output: <T = unknown>(sink: string) => readonly TestOutput<T>[];
  /** The same without times. */
  readonly records: <T = unknown>(sink: string) => readonly T[];
  readonly deadLetters: readonly DeadLetter[];
  /** Restores from a checkpoint, after crashes and steps. */
  readonly restores: number;
}

/** Rounds in which nothing happened before virtual time moves on for whoever waits for it. */
const QUIET_ROUNDS = 20;
/** Rounds, after the end of all inputs, before a job counts as stuck. */
const ROUNDS_MAX = 100_000;

/**
 * Runs a job in this process on the real engine, without Redis: scripted sources, sinks that remember, virtual time. Every record
 * is processed to its end before the next is given, so that a test gives the same result every time.
 * @throws what makes the job fail; MR_CONFIG_INVALID for a source without input
 * @example
 * const result = await testJob(job, { inputs: { readings: input(Reading, [{ at: 0, device: 'a' }, watermark(10_000)]) } });
 * t.same(result.records('counts'), [{ device: 'a', n: 1 }]);
 */
export async function testJob(job: JobDefinition, options: JobTestOptions): Promise<JobTestResult> {
  const run = new JobTest(job.graph(graphChanges(options)), options);
  return run.run();
}

function graphChanges(options: JobTestOptions): Partial<JobOptions> {
  return {
    ...(options.parallelism === undefined ? {} : { parallelism: options.parallelism }),
    ...(options.interpreted === undefined ? {} : { interpreted: options.interpreted }),
  };
}

class JobTest {
  readonly #graph: JobGraph;
  readonly #options: JobTestOptions;
  readonly #clock;
  readonly #log;
  readonly #store = openMemoryCheckpointStore({ storage: new Map() });
  readonly #outputs = new Map<string, Collected>();
  readonly #cursors = new Map<string, ScriptCursor>();
  #ownership: Ownership | null = null;
  #attempt: Attempt | null = null;
  #host: TaskHost | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #failure: unknown = null;
  #abort = new AbortController();
  #restores = 0;

  constructor(graph: JobGraph, options: JobTestOptions) {
    this.#options = options;
    this.#clock = virtualClock(options.startTime ?? 0);
    this.#log = openMemoryPartitionLog({ clock: this.#clock, store: memoryLogStore() });
    this.#graph = { ...graph, nodes: graph.nodes.map((node) => this.#replaced(node)) };
    const unknown = Object.keys(options.inputs).filter((id) => !this.#cursors.has(id));
    if (unknown.length > 0) throw misuse(`job '${graph.name}' has no source '${unknown.join("', '")}'`);
  }

  /** A failed run lets go of its sources, sinks and state as one that ends does. */
  async run(): Promise<JobTestResult> {
    try {
      await this.#play();
    } finally {
      await this.#close();
    }
    return this.#result();
  }

  async #play(): Promise<void> {
    const { inputs, restoreAfterEveryStep = false, endOfInput = true } = this.#options;
    await this.#open();
    const steps = Math.max(0, ...Object.values(inputs).map(({ elements }) => elements.length));
    for (let step = 0; step < steps; step++) {
      for (const [id, { elements }] of Object.entries(inputs)) {
        if (step >= elements.length) continue;
        (this.#cursors.get(id) as ScriptCursor).limit = step + 1;
        await this.#settle();
        const element: unknown = elements[step];
        if (isMarker(element)) await this.#mark(element);
        if (restoreAfterEveryStep) await this.#restore();
      }
    }
    if (endOfInput) await this.#finish();
    else await this.#checkpoint();
  }

  #replaced(node: JobGraph['nodes'][number]): JobGraph['nodes'][number] {
    if (node.kind === 'source') {
      const script = this.#options.inputs[node.id];
      if (script === undefined) throw misuse(`source '${node.id}' has no input`);
      const cursor = { limit: 0, ends: false };
      this.#cursors.set(node.id, cursor);
      return { ...node, source: scriptSource(script, cursor) };
    }
    if (node.kind !== 'sink') return node;
    const collected = new Collected();
    this.#outputs.set(node.id, collected);
    return { ...node, sink: collectingSink(collected) };
  }

  async #mark(marker: Marker): Promise<void> {
    if (marker.marker === 'barrier') await this.#checkpoint();
    else if (marker.marker === 'pause') {
      this.#clock.advance(marker.ms);
      this.#host?.wake();
      await this.#settle();
    } else if (marker.marker === 'crash') {
      await this.#close();
      await this.#open();
      await this.#settle();
    }
  }

  async #restore(): Promise<void> {
    await this.#checkpoint();
    await this.#close();
    await this.#open();
    await this.#settle();
  }

  async #open(): Promise<void> {
    const graph = planExecution(this.#rescaled());
    this.#ownership =
      this.#ownership === null
        ? await this.#store.takeOver(graph.job.name, 'test')
        : await this.#store.nextGeneration(this.#ownership);
    const manifest = await this.#store.latest(graph.job.name);
    if (manifest !== null) this.#restores++;
    this.#abort = new AbortController();
    let sinks = 0;
    const attempt = await Attempt.open({
      graph,
      store: this.#store,
      ownership: this.#ownership,
      restored: manifest,
      openHosts: hostInThisThread(this.#store, (host) => {
        this.#host = host;
      }),
      environment: {
        job: graph.job.name,
        namespace: 'test',
        generation: this.#ownership.generation,
        log: this.#log,
        clock: this.#clock,
        random: seededRandom(1),
        uuid: () => `test-${this.#restores}-${sinks++}`,
        signal: this.#abort.signal,
        killPoint: () => {},
      },
    });
    this.#attempt = attempt;
    this.#running = attempt.run().catch((error: unknown) => {
      this.#failure ??= error;
    });
    await this.#settle();
  }

  /** The graph at the parallelism of this restore. */
  #rescaled(): JobGraph {
    const { rescale = [] } = this.#options;
    if (this.#restores === 0 && this.#attempt === null) return this.#graph;
    const parallelism = rescale[this.#restores % Math.max(1, rescale.length)];
    if (parallelism === undefined) return this.#graph;
    return { ...this.#graph, options: { ...this.#graph.options, parallelism } };
  }

  /** Waits until nothing happens any more: the record has gone as far as it goes. */
  async #settle(): Promise<void> {
    const host = this.#host as TaskHost;
    host.wake();
    for (let quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
      await host.settled();
      if (this.#failure !== null) throw this.#failure;
      if (!host.pending) return;
      await setImmediate();
    }
  }

  async #checkpoint(): Promise<void> {
    await (this.#attempt as Attempt).checkpoint('checkpoint');
    if (this.#failure !== null) throw this.#failure;
  }

  /** Ends the inputs; virtual time moves on for whoever still waits for it. */
  async #finish(): Promise<void> {
    const attempt = this.#attempt as Attempt;
    let ended = false;
    void this.#running.then(() => {
      ended = true;
    });
    for (const cursor of this.#cursors.values()) cursor.ends = true;
    for (let round = 0; !ended; round++) {
      await this.#settle();
      const due = this.#clock.nextDue();
      if (due !== null) this.#clock.advance(Math.max(0, due - this.#clock.now()));
      await setImmediate();
      if (round > ROUNDS_MAX)
        throw misuse(
          'the job did not end: an asynchronous call has not answered after the end of all inputs',
        );
    }
    if (this.#failure !== null) throw this.#failure;
    await attempt.checkpoint('checkpoint');
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    await this.#attempt?.close();
    await this.#running;
  }

  async #result(): Promise<JobTestResult> {
    const output = (sink: string) => {
      const collected = this.#outputs.get(sink);
      if (collected === undefined) throw misuse(`job '${this.#graph.name}' has no sink '${sink}'`);
      return collected.rows;
    };
    return {
      output: output as JobTestResult['output'],
      records: ((sink: string) => output(sink).map(({ record }) => record)) as JobTestResult['records'],
      deadLetters: await readTopic(this.#log, deadLetterTopic(this.#graph.name), DeadLetter),
      restores: this.#restores,
    };
  }
}

function misuse(what: string): MillraceError {
  return new MillraceError('MR_CONFIG_INVALID', `The test cannot run: ${errorText(what)}.`);
}
