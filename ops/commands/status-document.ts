import type { JobRegistry, JobStatus } from '#engine';

/** What a coordinator has published of its job: its status, or why it could not be planned. */
export interface StatusDocument extends Partial<Omit<JobStatus, 'state'>> {
  readonly state: string;
  /** Of the desired state that it tells of. */
  readonly revision: number;
  /** Why a job could not be planned. */
  readonly code?: string;
  readonly message?: string;
}

/** Null: nobody has coordinated the job so far. @throws MR_REDIS_UNAVAILABLE */
export async function readStatus(registry: JobRegistry, job: string): Promise<StatusDocument | null> {
  const published = await registry.status(job);
  return published === null
    ? null
    : (JSON.parse(Buffer.from(published.document).toString()) as StatusDocument);
}
