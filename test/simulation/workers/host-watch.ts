import type { TaskHost } from '#engine';
import type { HostDeployment } from '../../../engine/host/host-protocol.ts';
import type { SimProcess } from '../process.ts';

/**
 * Looks into the hosts that run.
 *
 * HW1 A watermark of one input of one task never goes back while its host lives.
 * HW2 A generation is one coordinator's, and has each of its hosts once.
 */
export class HostWatch {
  readonly problems: string[] = [];
  readonly #hosts = new Set<WatchedHost>();
  readonly #generations = new Set<number>();
  #opened: Map<string, string> | null = new Map<string, string>();

  opened(thread: SimProcess, { generation, host: number, token }: HostDeployment, host: TaskHost): void {
    this.#generations.add(generation);
    this.#hosts.add({ thread, host, watermarks: new Map() });
    for (const [what, who] of [
      [`generation ${generation}`, token],
      [`host ${number} of generation ${generation}`, thread.name],
    ] as const) {
      const before = this.#opened?.get(what);
      if (before !== undefined && before !== who) this.problems.push(`${what} is of ${before} and of ${who}`);
      this.#opened?.set(what, who);
    }
  }

  /**
   * Redis has lost what was given out, and gives it out again. Who had it before goes on until its next checkpoint, which is refused: until
   * then a generation may be of two.
   */
  endUniqueness(): void {
    this.#opened = null;
  }

  /** Generations whose hosts have opened, in order. */
  get generations(): readonly number[] {
    return [...this.#generations];
  }

  /** Names of threads in which hosts live, and could end. */
  get living(): readonly string[] {
    return [...this.#hosts].flatMap(({ thread }) => (thread.state === 'alive' ? [thread.name] : []));
  }

  look(): void {
    for (const watched of this.#hosts) {
      if (watched.thread.state === 'dead') this.#hosts.delete(watched);
      else this.#lookAt(watched);
    }
  }

  #lookAt({ thread, host, watermarks }: WatchedHost): void {
    for (const member of host.meters) {
      member.watermarks.forEach((watermark, input) => {
        const name = `${member.id}.${member.subtask} input ${input} in ${thread.name}`;
        const before = watermarks.get(name) ?? Number.NEGATIVE_INFINITY;
        if (watermark < before)
          this.problems.push(`the watermark of ${name} goes back from ${before} to ${watermark}`);
        watermarks.set(name, watermark);
      });
    }
  }
}

interface WatchedHost {
  readonly thread: SimProcess;
  readonly host: TaskHost;
  readonly watermarks: Map<string, number>;
}
