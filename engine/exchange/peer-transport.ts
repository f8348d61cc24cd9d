/** One element of one channel, or credit for batches that its receiver has taken. */
export type ExchangePart =
  | { readonly channel: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly channel: number; readonly credit: number };

/**
 * The way from one host to another and back.
 * PT1 what is sent arrives in order, none of it lost, none twice, or {@link failed} rejects.
 */
export interface PeerTransport {
  /** Takes the parts and the buffers of their bytes. Never blocks: credit bounds what is under way. */
  readonly send: (parts: readonly ExchangePart[]) => void;
  /** Sets who gets what arrives. Call once, before anything can arrive. */
  readonly listen: (arrived: (parts: readonly ExchangePart[]) => void) => void;
  readonly failed: Promise<never>;
  readonly close: () => Promise<void>;
}
