import type { Random } from '../../engine/base/random.ts';
import { LIST, NIL, type RespReply, RespScanner } from '../../engine/redis/resp-scanner.ts';

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

/** Its strings, numbers and errors as bytes, its lists as arrays. */
export type ReplyTree = null | Buffer | readonly ReplyTree[];

export function replyTree({ bytes, values }: RespReply): ReplyTree {
  let at = 0;
  const next = (): ReplyTree => {
    const start = values[at++] as number;
    const size = values[at++] as number;
    if (start === NIL) return null;
    if (start === LIST) return Array.from({ length: size }, next);
    return bytes.subarray(start, start + size);
  };
  const tree = next();
  if (at !== values.length) throw new Error('The reply has values behind its end.');
  return tree;
}

const PIECES_ABOUT = 200;

/** Cut into pieces at random places; some of one byte, some of many. */
export function pieces(bytes: Buffer, random: Random): Buffer[] {
  const cut: Buffer[] = [];
  const most = 1 + Math.floor(Math.max(random() ** 3, 1 / PIECES_ABOUT) * bytes.length);
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(random() * most);
    cut.push(bytes.subarray(at, at + length));
    at += length;
  }
  return cut;
}
