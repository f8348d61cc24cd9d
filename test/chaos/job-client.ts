import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  errorText,
  JobLeases,
  type JobRequest,
  JobRegistry,
  type JobStatus,
  type JsonObject,
  openRedisPartitionLog,
  type PartitionLog,
  RedisConnection,
  type RequestKind,
  systemClock,
} from '#engine';
import { JOB } from './workload.ts';

/** The job as anybody outside sees it, through Redis. */
export interface JobClient {
  readonly log: PartitionLog;
  /** What the coordinator said last; null when it cannot be had. */
  readonly status: () => Promise<JobStatus | NeverStarted | null>;
  /** Process that coordinates the job; null while nobody does. */
  readonly coordinatorPid: () => Promise<number | null>;
  /** Has something done, once. @throws when it is not answered in time */
  readonly request: (kind: RequestKind, args: JsonObject, timeoutMs: number) => Promise<JobRequest['answer']>;
  readonly close: () => Promise<void>;
}

/** In place of the status of a job that its coordinator could not so much as plan, and has stopped. */
export interface NeverStarted {
  readonly state: 'failed';
  readonly sources?: undefined;
  readonly code: string;
  readonly message: string;
}

export async function openJobClient(url: string, namespace: string): Promise<JobClient> {
  const link = await RedisConnection.open({ url, name: 'chaos', clock: systemClock });
  const cluster = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  const log = await openRedisPartitionLog({ url, namespace, clock: systemClock, durability: 'process' });
  const registry = new JobRegistry(cluster);
  const leases = new JobLeases(cluster);
  return {
    log,
    async status() {
      const published = await registry.status(JOB);
      if (published === null) return null;
      return JSON.parse(Buffer.from(published.document).toString()) as JobStatus | NeverStarted;
    },
    async coordinatorPid() {
      const holder = await leases.holder(JOB);
      return holder === null ? null : Number(holder.owner.slice(holder.owner.lastIndexOf(':') + 1));
    },
    async request(kind, args, timeoutMs) {
      const id = `${kind}.${randomUUID().slice(0, 8)}`;
      const deadlineMs = performance.now() + timeoutMs;
      let answer: JobRequest['answer'] = { state: 'pending' };
      let trouble = '';
      while (answer.state === 'pending') {
        if (performance.now() > deadlineMs)
          throw new Error(`${kind} was not answered within ${timeoutMs} ms. ${trouble}`);
        // The same id each time: a fail-over may have lost it, and it is carried out once.
        const told = await registry.request(JOB, id, kind, args).catch((error: unknown) => {
          trouble = errorText(error);
          return null;
        });
        answer = told?.answer ?? answer;
        await sleep(100);
      }
      return answer;
    },
    async close() {
      await log.close();
      link.close();
    },
  };
}
