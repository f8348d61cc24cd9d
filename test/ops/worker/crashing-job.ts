import { isMainThread, workerData } from 'node:worker_threads';
import counting from '../../engine/host/counting-job.ts';

// Ends whatever coordinates it, without a word; it can be inspected, and would run.
if (!isMainThread && (workerData ?? null) === null) process.exit(0);

export default counting;
