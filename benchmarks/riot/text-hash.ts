import { fmix32 } from '#wire';

/** 32 bits of a text and a seed: FNV-1a over its UTF-16 units, then mixed. */
export function textHash(text: string, seed = 0): number {
  let hash = (0x811c_9dc5 ^ seed) | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return fmix32(hash);
}
