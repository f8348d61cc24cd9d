import { LIST, type RespReply } from '../redis/resp-scanner.ts';

/**
 * Entries of one stream as XREAD gave them, in order. They stay the bytes of the reply, among the entries of other streams; what is asked
 * for is found there.
 */
export class StreamEntries {
  readonly reply: RespReply;
  /** Per entry, where its id is among the values. */
  readonly #ids: Int32Array;
  /** Of all names and values together. */
  readonly fieldBytes: number;

  constructor(reply: RespReply, ids: Int32Array, fieldBytes: number) {
    this.reply = reply;
    this.#ids = ids;
    this.fieldBytes = fieldBytes;
  }

  get length(): number {
    return this.#ids.length;
  }

  /** The id of an entry, counted from the last when negative. */
  at(entry: number): string | undefined {
    const id = this.#ids.at(entry);
    return id === undefined ? undefined : this.reply.bytes.toString('latin1', this.start(id), this.end(id));
  }

  /** Names and values in turn, as views of the reply. */
  fields(entry: number): readonly Buffer[] {
    const list = this.#fieldList(entry);
    return Array.from({ length: this.reply.values[list + 1] as number }, (_, i) => {
      const value = list + 2 + 2 * i;
      return this.reply.bytes.subarray(this.start(value), this.end(value));
    });
  }

  /** The value of the first field of a name, for {@link start} and {@link end}; -1 when there is none. */
  find(entry: number, name: Uint8Array): number {
    const { values } = this.reply;
    const list = this.#fieldList(entry);
    const listEnd = list + 2 + 2 * (values[list + 1] as number);
    for (let field = list + 2; field < listEnd; field += 4)
      if (values[field + 1] === name.length && this.#begins(values[field] as number, name)) return field + 2;
    return -1;
  }

  /** Where a value begins in the reply's bytes. */
  start(value: number): number {
    return this.reply.values[value] as number;
  }

  end(value: number): number {
    return (this.reply.values[value] as number) + (this.reply.values[value + 1] as number);
  }

  #fieldList(entry: number): number {
    return (this.#ids[entry] as number) + 2;
  }

  #begins(at: number, name: Uint8Array): boolean {
    for (let i = 0; i < name.length; i++) if (this.reply.bytes[at + i] !== name[i]) return false;
    return true;
  }
}

/**
 * The entries in a reply to XREAD, by stream.
 * @throws Error when it has another form
 */
export function streamsOf(reply: RespReply): ReadonlyMap<string, StreamEntries> {
  const { bytes, values } = reply;
  const streams = new Map<string, StreamEntries>();
  let at = 2;
  for (let left = listLength(values, 0); left > 0; left--) {
    assertForm(listLength(values, at) === 2);
    const name = bytes.toString(
      'utf8',
      values[at + 2],
      (values[at + 2] as number) + textLength(values, at + 2),
    );
    const ids = new Int32Array(listLength(values, at + 4));
    let fieldBytes = 0;
    at += 6;
    for (let i = 0; i < ids.length; i++) {
      assertForm(listLength(values, at) === 2 && textLength(values, at + 2) > 0);
      ids[i] = at + 2;
      const fields = listLength(values, at + 4);
      assertForm(fields % 2 === 0);
      at += 6;
      for (const end = at + 2 * fields; at < end; at += 2) fieldBytes += textLength(values, at);
    }
    streams.set(name, new StreamEntries(reply, ids, fieldBytes));
  }
  return streams;
}

function listLength(values: Int32Array, at: number): number {
  assertForm(values[at] === LIST);
  return values[at + 1] as number;
}

function textLength(values: Int32Array, at: number): number {
  assertForm((values[at] as number) >= 0);
  return values[at + 1] as number;
}

function assertForm(holds: boolean): void {
  if (!holds) throw new Error('The reply to XREAD has an unknown form.');
}
