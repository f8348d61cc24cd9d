const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

export interface LineSink {
  /** One line without its ending; valid only during the call. */
  readonly line: (bytes: Buffer) => void;
  /** A line longer than the bound; `head` is its beginning. */
  readonly tooLong: (head: Buffer) => void;
}

/**
 * Cuts a byte stream into lines ended by LF or CR LF, holding at most `lineBytesMax` of one. A last line without an ending
 * counts. What is longer is skipped up to its end and reported once.
 */
export class LineSplitter {
  readonly #lineBytesMax: number;
  readonly #sink: LineSink;
  #parts: Buffer[] = [];
  #bytes = 0;
  #skipping = false;

  constructor(lineBytesMax: number, sink: LineSink) {
    this.#lineBytesMax = lineBytesMax;
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#part(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#part(chunk.subarray(start));
  }

  end(): void {
    if (this.#bytes > 0 || this.#skipping) this.#finish();
  }

  #part(part: Buffer): void {
    if (this.#skipping) return;
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes <= this.#lineBytesMax + 1) return; // one more for a CR
    this.#skipping = true;
    this.#sink.tooLong(this.#joined().subarray(0, this.#lineBytesMax));
    this.#clear();
  }

  #finish(): void {
    const line = this.#skipping ? null : this.#joined();
    this.#skipping = false;
    this.#clear();
    if (line === null) return;
    const text = line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
    if (text.length > this.#lineBytesMax) this.#sink.tooLong(text.subarray(0, this.#lineBytesMax));
    else this.#sink.line(text);
  }

  #joined(): Buffer {
    return this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
  }

  #clear(): void {
    this.#parts = [];
    this.#bytes = 0;
  }
}
