import { type RespReply, RespScanner } from '../../engine/redis/resp-scanner.ts';

/** A reply as ioredis gives it with its strings as bytes. */
export type PlainReply = null | number | Buffer | readonly PlainReply[];

/** As version 2 of the protocol writes it. */
export function encodedReply(reply: PlainReply): Buffer {
  if (reply === null) return Buffer.from('*-1\r\n');
  if (typeof reply === 'number') return Buffer.from(`:${reply}\r\n`);
  if (Buffer.isBuffer(reply))
    return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from('\r\n')]);
  const items = reply as readonly PlainReply[];
  return Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items.map(encodedReply)]);
}

export function scannedReply(bytes: Buffer): RespReply {
  const scanner = new RespScanner();
  scanner.start(true);
  if (scanner.scan(bytes, 0) !== bytes.length) throw new Error('These bytes are not one reply.');
  return { bytes, values: scanner.values() };
}
