import type { SeriesPoint, SeriesReader } from '../../../ops/series-reader.ts';

/** Ten-second windows of some devices, computed from their times: no store. */
export function scriptedSeries(now: () => number): SeriesReader {
  const point = (device: number, start: number): SeriesPoint => ({
    start,
    end: start + 10_000,
    values: {
      n: 90 + ((device * 7 + start / 10_000) % 20),
      temp: 20 + device + Math.sin(start / 60_000),
      vib: device === 3 ? null : 0.2 + device / 100,
    },
  });
  const newest = () => Math.floor(now() / 10_000) * 10_000 - 20_000;
  const device = (key: string) => Number(/^acme\/pump-(\d+)$/.exec(key)?.[1] ?? Number.NaN);
  return {
    names: () => ['device_10s'],
    async range({ key, from, to, pointsMax }) {
      const id = device(key);
      if (Number.isNaN(id)) return [];
      const last = Math.min(newest(), Math.ceil(to / 10_000) * 10_000 - 10_000);
      const first = Math.max(
        Math.ceil(from / 10_000) * 10_000,
        last - (Math.min(pointsMax, 360) - 1) * 10_000,
      );
      const points: SeriesPoint[] = [];
      for (let start = first; start <= last; start += 10_000) points.push(point(id, start));
      return points;
    },
    latest: async (_name, keysMax) =>
      Array.from({ length: Math.min(keysMax, 5) }, (_, id) => ({
        key: `acme/pump-${id}`,
        point: point(id, newest()),
      })),
  };
}
