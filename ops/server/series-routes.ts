import Type from 'typebox';
import { MillraceError } from '../../engine/base/errors.ts';
import { LIMITS } from '../../engine/base/limits.ts';
import type { SeriesReader } from '../series-reader.ts';
import { PROBLEMS, type TypedServer } from './job-routes.ts';
import { notFound } from './problem.ts';

const POINTS_MAX = 10_000;
const closed = { additionalProperties: false };
const SeriesName = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: LIMITS.nameLengthMax }) },
  closed,
);
/** Query strings carry text and nothing is coerced, so a time is written out. */
const EpochMs = Type.String({ pattern: '^[0-9]{1,15}$' });
const Range = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 1_024 }),
    from: Type.Optional(EpochMs),
    to: Type.Optional(EpochMs),
  },
  closed,
);
const Point = Type.Object(
  {
    start: Type.Number(),
    end: Type.Number(),
    values: Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()])),
  },
  closed,
);
const Series = Type.Object({ name: Type.String(), key: Type.String(), points: Type.Array(Point) }, closed);

/** `GET /api/v1/series/:name?key=…&from=…&to=…`: the points of one key, ascending, at most 10,000 of the newest. */
export function addSeriesRoutes(server: TypedServer, series: () => SeriesReader | null): void {
  server.get(
    '/api/v1/series/:name',
    { schema: { params: SeriesName, querystring: Range, response: { 200: Series, ...PROBLEMS } } },
    async (request) => {
      const { name } = request.params;
      const reader = series();
      if (reader === null || !reader.names().includes(name)) {
        const known = reader?.names().join(', ') || 'none';
        throw notFound(`There is no series "${name}" to read. Known here: ${known}.`);
      }
      const { key } = request.query;
      const [from, to] = [
        Number(request.query.from ?? 0),
        Number(request.query.to ?? Number.MAX_SAFE_INTEGER),
      ];
      if (from >= to)
        throw new MillraceError('MR_API_INVALID', `"from" (${from}) must be before "to" (${to}).`);
      const points = await reader.range({ name, key, from, to, pointsMax: POINTS_MAX });
      return { name, key, points };
    },
  );
}
