import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { createAdminServer } from '../../../ops/server/admin-server.ts';
import { listenOnLoopback } from '../../../ops/server/listen.ts';
import { scriptedJob } from '../support/scripted-job.ts';
import { scriptedSeries } from '../support/series.ts';

const BROWSER = '/usr/bin/chromium';
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

async function serve(port = 0) {
  const job = scriptedJob();
  job.setRate(12_000);
  job.completeCheckpoint(42);
  job.failCheckpoint('No acknowledgement of lake within 600 s.');
  const code = 'MR_REDIS_UNAVAILABLE';
  job.fail({ code, operator: 'live', message: '<img src=x onerror=alert(1)> is only text' });
  job.completeCheckpoint(38, 'savepoint');
  const { server } = await createAdminServer({
    jobs: () => [job],
    series: () => scriptedSeries(Date.now),
    lake: async () => ({ rows: 1_234_567, files: 12, bytes: 3 * 1024 * 1024, snapshots: 7 }),
  });
  return { job, server, port: await listenOnLoopback(server, port, port !== 0) };
}

/** A page that remembers all it complained about and all it asked for. */
async function watched(t: Test, browser: Browser, colorScheme: 'light' | 'dark' = 'light') {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 1000 } });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const [complaints, hosts]: [string[], Set<string>] = [[], new Set()];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
  await page.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', (event) =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI));`,
  });
  return { page, complaints, hosts };
}

const textOf = async (page: Page, selector: string) => (await page.textContent(selector)) ?? '';
const rowsOf = (page: Page, table: string) => page.locator(`${table} tbody tr`).allInnerTexts();

/** Waits until `read` gives what is wanted, for 5 s; then the assertion shows what it gave instead. */
async function eventually<T>(read: () => Promise<T>, wanted: (value: T) => boolean): Promise<T> {
  const end = performance.now() + 5_000;
  for (;;) {
    const value = await read();
    if (wanted(value) || performance.now() > end) return value;
    await delay(50);
  }
}

const browser = await chromium.launch({ executablePath: BROWSER, args: ARGS });
t.teardown(() => browser.close());

await t.test('shows the job, and its numbers move (O2)', async (t) => {
  const { server, port, job } = await serve();
  t.teardown(() => server.close());
  const { page, complaints, hosts } = await watched(t, browser);
  await page.goto(`http://127.0.0.1:${port}/`);
  const rate = await eventually(
    () => textOf(page, '#rate'),
    (text) => Number(text.replace(',', '')) > 5_000,
  );
  t.match(rate, /^\d\d,\d{3}$/);
  t.equal(await textOf(page, '#job'), 'device-telemetry');
  t.equal(await textOf(page, '#state'), 'running');
  t.match(await textOf(page, '#run'), /^generation 2 · 1 restart · up \d/);
  t.match(await textOf(page, '#lag'), /^1\.2 s$/);
  t.match(await textOf(page, '#connection'), 'live');
  await eventually(
    () => textOf(page, '#lake-rows'),
    (text) => text !== '–',
  );
  t.match(await textOf(page, '#lake-rows'), '1,234,567');
  t.equal(await textOf(page, '#lake-note'), '12 files · 3.0 MiB · 7 snapshots');

  const operators = await rowsOf(page, '#operators');
  t.equal(operators.length, 5);
  t.match(operators[2], /per-device × 2\s+window\s+[\d,]+\s+[\d,]+\s+500\s+.*62% · 34% · 4%/s);
  const bars = page.locator('#operators tbody tr').nth(2).locator('rect');
  t.same(
    await bars.evaluateAll((rects) =>
      rects.map((rect) => [rect.getAttribute('x'), rect.getAttribute('width')]),
    ),
    [
      [null, '62%'],
      ['62%', '4%'],
    ],
    'busy, then backpressured; the rest is idle (E11)',
  );
  const windows = await eventually(
    () => rowsOf(page, '#windows'),
    (rows) => rows.length > 0,
  );
  t.match(windows[1], /acme\/pump-1\s+\d\d:\d\d:\d\d \+ 10\.0 s\s+\d+\s+2\d\.\d °C/);
  t.match(windows[3], /–/, 'a value that is not there is a dash');
  const checkpoints = await rowsOf(page, '#checkpoints');
  t.match(checkpoints[0], /savepoint 3\s+completed\s+38 ms\s+\d+\.\d KiB\s+4\.0 KiB\s+\d s ago/);
  t.equal(await page.isVisible('#rescales-part'), false, 'nothing was rescaled');
  await job.rescale(4);
  const rescales = await eventually(
    () => rowsOf(page, '#rescales'),
    (rows) => rows.length > 0,
  );
  t.match(rescales[0], /2 → 4\s+completed\s+1\.9 s\s+\d s ago/);
  t.match(checkpoints[1], /2\s+failed/);
  t.match(await textOf(page, '#failures'), 'MR_REDIS_UNAVAILABLE');
  t.match(await textOf(page, '#failures'), '<img src=x onerror=alert(1)> is only text');

  const read = await textOf(page, '#rate-note');
  t.not(
    await eventually(
      () => textOf(page, '#rate-note'),
      (text) => text !== read,
    ),
    read,
  );
  t.match(await page.getAttribute('#curve .line', 'd'), /^M[\d.]+,[\d.]+L/);
  job.enter('stopping');
  t.equal(
    await eventually(
      () => textOf(page, '#state'),
      (text) => text === 'stopping',
    ),
    'stopping',
  );
  t.strictSame(complaints, [], 'no console errors, no policy violations');
  t.strictSame([...hosts], [`127.0.0.1:${port}`], 'nothing is asked of anybody else');
});

await t.test('says that the connection is lost, and comes back with the engine', async (t) => {
  const first = await serve();
  const { page } = await watched(t, browser, 'dark');
  await page.goto(`http://127.0.0.1:${first.port}/`);
  const connection = () => textOf(page, '#connection');
  t.equal(await eventually(connection, (text) => text === 'live'), 'live');
  await first.server.close();
  const lost = await eventually(connection, (text) => text !== 'live');
  t.equal(lost, 'connection lost, retrying');
  const again = await serve(first.port);
  t.teardown(() => again.server.close());
  again.job.enter('finished');
  t.equal(await eventually(connection, (text) => text === 'live'), 'live');
  t.equal(await textOf(page, '#state'), 'finished');
  t.equal(await page.getAttribute('body', 'data-stale'), null);
});
