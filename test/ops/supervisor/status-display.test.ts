import t from 'tap';
import { progressLine } from '../../../ops/supervisor/progress-line.ts';
import { statusDisplay } from '../../../ops/supervisor/status-display.ts';
import { manualClock } from '../support/manual-clock.ts';

const figures = {
  at: 0,
  recordsRead: 10,
  recordsPerSecond: 1_999.6,
  windowsFired: 12_345,
  watermarkLagMs: 2_250,
  backlogRecords: 0,
  lakeRows: 1,
  lateRecords: 3,
  deadLetters: 0,
};

await t.test('the progress line names what is known and dashes what is not', async (t) => {
  const base = { job: 'j', state: 'running', failure: null } as const;
  t.equal(
    progressLine({ ...base, figures, checkpointAgeMs: 900, lakeRows: 40_000 }),
    'running · 2,000 events/s · 12,345 windows · watermark 2.3 s behind · checkpoint 0.9 s ago · lake 40,000 rows · 3 late',
  );
  const unknown = { ...figures, recordsPerSecond: null, watermarkLagMs: null, lateRecords: 0 };
  t.equal(
    progressLine({
      ...base,
      state: 'restarting',
      failure: 'Redis is gone.',
      figures: unknown,
      checkpointAgeMs: null,
      lakeRows: null,
    }),
    'restarting · – events/s · 12,345 windows · watermark – behind · checkpoint – ago · Redis is gone.',
  );
});

await t.test('a terminal shows one status line that is replaced and survives other lines', async (t) => {
  let text = '';
  const display = statusDisplay(
    { isTTY: true, columns: 10, write: (part: string | Uint8Array) => ((text += String(part)), true) },
    manualClock(),
  );
  display.status('0123456789abc');
  display.line('hello');
  display.end();
  t.equal(text, '\r\u001B[2K012345678\r\u001B[2Khello\n012345678\n');
});

await t.test('elsewhere the status is a plain line every five seconds', async (t) => {
  const lines: string[] = [];
  const clock = manualClock();
  const display = statusDisplay(
    { write: (part: string | Uint8Array) => lines.push(String(part)) > 0 },
    clock,
  );
  for (let second = 0; second <= 10; second++) {
    display.status(`status ${second}`);
    clock.advance(1_000);
  }
  t.strictSame(lines, ['status 0\n', 'status 5\n', 'status 10\n']);
});
