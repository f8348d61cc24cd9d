import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';

/** Names a record of an operator the same way in every attempt: 16 hex digits of a hash of the operator, the time and the content. */
export function recordFingerprint(operator: string, time: number, row: unknown): string {
  return createHash('sha1').update(`${operator} ${time} `).update(contentOf(row)).digest('hex').slice(0, 16);
}

/** Undeclared types and circles are no reason to fail a second time: what cannot be packed is told by its text. */
function contentOf(row: unknown): Uint8Array | string {
  try {
    return packr.pack(row);
  } catch {
    return String(row);
  }
}

const packr = new Packr({ useRecords: false, structuredClone: true });
