import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { createAdminServer } from '../../../ops/server/admin-server.ts';
import { listenOnLoopback } from '../../../ops/server/listen.ts';
import { LiveFeed } from '../../../ops/server/live-feed.ts';
import { LIVE, LiveSocket } from '../../../ops/server/live-socket.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedJob } from '../support/scripted-job.ts';
import { scriptedSeries } from '../support/series.ts';

async function live(
  t: Test,
  port: number,
  options = {},
): Promise<{ socket: WebSocket; messages: unknown[] }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/live`, options);
  t.teardown(() => socket.terminate());
  const messages: unknown[] = [];
  socket.on('message', (data) => messages.push(JSON.parse((data as Buffer).toString())));
  await once(socket, 'open');
  return { socket, messages };
}

/** Status of the answer to an upgrade that must not succeed. */
async function refusal(port: number, options: object): Promise<number | undefined> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/live`, options);
  socket.on('error', () => {});
  const [, answer] = await once(socket, 'unexpected-response');
  socket.terminate();
  return (answer as IncomingMessage).statusCode;
}

async function started(t: Test) {
  const job = scriptedJob();
  job.setRate(1_000);
  const { server } = await createAdminServer({
    jobs: () => [job],
    series: () => scriptedSeries(Date.now),
    lake: async () => ({ rows: 1_000, files: 2, bytes: 30_000, snapshots: 2 }),
  });
  t.teardown(() => server.close());
  return { server, port: await listenOnLoopback(server, 0, false) };
}

await t.test('sends the history once, then a full snapshot every 500 ms', async (t) => {
  const { port } = await started(t);
  await delay(600);
  const { messages } = await live(t, port);
  await delay(1_800);
  t.match(messages[0], { kind: 'hello', everyMs: 500, history: { 'device-telemetry': [{ at: Number }] } });
  const snapshots = messages.slice(1) as { at: number }[];
  t.ok(snapshots.length >= 3 && snapshots.length <= 4, `${snapshots.length} snapshots in 1.8 s`);
  t.match(snapshots.at(-1), {
    kind: 'snapshot',
    jobs: [{ status: { name: 'device-telemetry', operators: Array }, figures: { recordsPerSecond: Number } }],
    windows: { series: 'device_10s', latest: Array },
    lake: { rows: 1_000, files: 2, bytes: 30_000, snapshots: 2 },
  });
});

await t.test(
  'an upgrade from the page of another site is refused, and does not keep the server from closing',
  async (t) => {
    const { port } = await started(t);
    t.equal(await refusal(port, { origin: 'http://evil.example' }), 403);
    t.equal(await refusal(port, { headers: { host: 'evil.example' } }), 403);
    await live(t, port, { origin: `http://127.0.0.1:${port}` });
  },
);

await t.test(
  'a client that talks too much is cut off; closing the server says so to the others',
  async (t) => {
    const { server, port } = await started(t);
    const [loud, quiet] = await Promise.all([live(t, port), live(t, port)]);
    loud.socket.send('x'.repeat(LIVE.messageBytesMax + 1));
    t.equal((await once(loud.socket, 'close'))[0], 1009);
    t.equal(quiet.socket.readyState, WebSocket.OPEN);
    const closed = once(quiet.socket, 'close');
    await server.close();
    t.equal((await closed)[0], 1001);
  },
);

await t.test(
  'a client that cannot keep up misses snapshots, then is cut off (LS1); a dead one too (LS2)',
  async (t) => {
    const clock = manualClock();
    const feed = new LiveFeed({ jobs: () => [], series: () => null, lake: async () => null, clock });
    const socket = new LiveSocket(feed, clock);
    t.teardown(() => socket.stop());
    socket.start();
    const client = wire();
    socket.add(client.end);
    t.equal(client.sent.length, 1, 'hello');
    clock.advance(LIVE.snapshotEveryMs);
    t.equal(client.sent.length, 2);
    client.end.bufferedAmount = LIVE.skipAboveBytes + 1;
    clock.advance(LIVE.snapshotEveryMs * 4);
    t.equal(client.sent.length, 2, 'nothing is added while it is behind');
    client.end.bufferedAmount = 0;
    clock.advance(LIVE.snapshotEveryMs);
    t.equal(client.sent.length, 3);
    client.end.bufferedAmount = LIVE.closeAboveBytes + 1;
    clock.advance(LIVE.snapshotEveryMs);
    t.ok(client.ended);

    const [dead, alive] = [wire(), wire()];
    socket.add(dead.end);
    socket.add(alive.end);
    clock.advance(LIVE.pingEveryMs);
    alive.answer();
    clock.advance(LIVE.pingEveryMs);
    t.strictSame([dead.ended, alive.ended], [true, false]);
  },
);

/** The far end of a connection, as slow as the test wants. */
function wire() {
  const listeners = new Map<string, () => void>();
  const state = {
    sent: [] as string[],
    ended: false,
    answer: () => listeners.get('pong')?.(),
    end: {
      bufferedAmount: 0,
      readyState: 1,
      send: (text: string) => void state.sent.push(text),
      close: () => state.end.terminate(),
      terminate() {
        state.ended = true;
        listeners.get('close')?.();
      },
      ping: () => {},
      on: (event: string, listener: () => void) => void listeners.set(event, listener),
    },
  };
  return state;
}
