import type { RedisCase } from './case.ts';
export const SCRIPT_FILE_CASES: readonly RedisCase[] = [];
