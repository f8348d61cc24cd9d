import type { Test } from 'tap';
import { appendContract } from './append.contract.ts';
import type { LogHarness } from './log-harness.ts';
import { readContract } from './read.contract.ts';
import { stageContract } from './stage.contract.ts';
import { trimContract } from './trim.contract.ts';

/** Runs the contract of `PartitionLog` on one implementation. */
export function partitionLogContract(t: Test, harness: LogHarness): void {
  appendContract(t, harness);
  readContract(t, harness);
  trimContract(t, harness);
  stageContract(t, harness);
}
