/** The test kit: runs jobs and operators on the real engine, in this process, in virtual time. */
export type { TestOutput } from './collecting-sink.ts';
export { type JobTestOptions, type JobTestResult, testJob } from './job-harness.ts';
export {
  barrier,
  crash,
  idle,
  input,
  type Marker,
  pause,
  type TestInput,
  type TestInputOptions,
  watermark,
} from './script.ts';
export { type OperatorTestOptions, type OperatorTestResult, testOperator } from './operator-harness.ts';
export { type VirtualClock, virtualClock } from './virtual-clock.ts';
