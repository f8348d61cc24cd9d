import { crc32, inflateRawSync } from 'node:zlib';

// zlib looks for the processor's carry-less multiplication when a stream is opened first, and crc32() goes without until then, at half the speed.
inflateRawSync(Buffer.of(3, 0));

/** CRC-32 (ISO-HDLC, as in gzip) of bytes. */
export { crc32 };
