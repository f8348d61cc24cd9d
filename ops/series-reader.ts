/** Reads the live series that time-series sinks write. The admin API and the live page know nothing of the store behind it. */
export interface SeriesReader {
  /** Names of the series that can be read, e.g. `device_10s`. */
  readonly names: () => readonly string[];
  /** Points of one key with `from ≤ start < to`, ascending by start, at most `pointsMax` of the newest. Unknown keys have none. */
  readonly range: (query: SeriesQuery) => Promise<readonly SeriesPoint[]>;
  /** The newest point of at most `keysMax` keys, in a stable order of keys. */
  readonly latest: (name: string, keysMax: number) => Promise<readonly KeyedPoint[]>;
}

export interface SeriesQuery {
  readonly name: string;
  readonly key: string;
  /** Epoch ms, inclusive. */
  readonly from: number;
  /** Epoch ms, exclusive. */
  readonly to: number;
  readonly pointsMax: number;
}

/** One window of one key. `start` and `end` are epoch ms; a value is null when the window had nothing to compute it from. */
export interface SeriesPoint {
  readonly start: number;
  readonly end: number;
  readonly values: Readonly<Record<string, number | null>>;
}

export interface KeyedPoint {
  /** For people, e.g. `acme/pump-17`. */
  readonly key: string;
  readonly point: SeriesPoint;
}
