import Type from 'typebox';
import type { Clock } from '../../engine/base/clock.ts';
import type { JobHandle } from '../../engine/coordinator/job-status.ts';
import type { TypedServer } from './job-routes.ts';

const TICK_MS = 1_000;
/** An event loop that has not turned for this long is wedged. */
const TURN_MS_MAX = 5_000;

const closed = { additionalProperties: false };
const Live = Type.Object({ live: Type.Boolean(), sinceTurnMs: Type.Number() }, closed);
const Ready = Type.Object(
  {
    ready: Type.Boolean(),
    jobs: Type.Array(Type.Object({ name: Type.String(), state: Type.String() }, closed)),
  },
  closed,
);

/**
 * `/livez`: the event loop turns; never depends on Redis, so that an outage there does not get the process killed.
 * `/readyz`: there are jobs and all of them run (or have finished); 503 while starting, restarting, stopping or failed.
 */
export function addProbeRoutes(server: TypedServer, jobs: () => readonly JobHandle[], clock: Clock): void {
  let turnedAt = clock.monotonic();
  const unlimited = { config: { rateLimit: false } };
  let cancel = () => {};
  const tick = () => {
    turnedAt = clock.monotonic();
    cancel = clock.after(TICK_MS, tick);
  };
  server.addHook('onReady', async () => tick());
  server.addHook('onClose', async () => cancel());

  server.get(
    '/livez',
    { ...unlimited, schema: { response: { 200: Live, 503: Live } } },
    async (_request, reply) => {
      const sinceTurnMs = Math.round(clock.monotonic() - turnedAt);
      const live = sinceTurnMs < TURN_MS_MAX;
      return reply.code(live ? 200 : 503).send({ live, sinceTurnMs });
    },
  );
  server.get(
    '/readyz',
    { ...unlimited, schema: { response: { 200: Ready, 503: Ready } } },
    async (_request, reply) => {
      const states = jobs().map((job) => ({ name: job.name, state: job.status().state }));
      const ready =
        states.length > 0 && states.every(({ state }) => state === 'running' || state === 'finished');
      return reply.code(ready ? 200 : 503).send({ ready, jobs: states });
    },
  );
}
