/** Slots of a cluster. */
export const SLOT_COUNT = 16_384;

/**
 * The slot of a key in a cluster: CRC16 (XMODEM) modulo 16384, of the hash tag when the key has one: what stands between the first
 * `{` and the next `}`, unless that is nothing. As in the Redis Cluster specification.
 */
export function keySlot(key: string | Buffer): number {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  const open = bytes.indexOf(0x7b);
  const close = open < 0 ? -1 : bytes.indexOf(0x7d, open + 1);
  const tagged = close > open + 1;
  let crc = 0;
  for (let i = tagged ? open + 1 : 0; i < (tagged ? close : bytes.length); i++) {
    crc = ((crc << 8) & 0xffff) ^ (TABLE[((crc >>> 8) ^ (bytes[i] as number)) & 0xff] as number);
  }
  return crc & (SLOT_COUNT - 1);
}

/** `base` with the first hash tag that lies in a slot which `holds`; null when no tag of TAGS_MAX does. */
export function keyInSlot(base: string, holds: (slot: number) => boolean): string | null {
  for (let tag = 0; tag < TAGS_MAX; tag++) {
    const key = `${base}:{${tag}}`;
    if (holds(keySlot(key))) return key;
  }
  return null;
}

/** Sixteen tags per slot on average, so that a node with a single slot is found as well. */
const TAGS_MAX = 16 * SLOT_COUNT;

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  return crc;
});
