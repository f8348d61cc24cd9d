import { createHash } from 'node:crypto';
import type { Bytes } from './bytes.ts';

/** In lower-case hexadecimal digits, as Redis names scripts. */
export const sha1 = (bytes: Bytes): Bytes => createHash('sha1').update(bytes, 'latin1').digest('hex');
