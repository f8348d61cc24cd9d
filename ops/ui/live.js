import { byId, drawCurve, fillTable, setState, setText } from './elements.js';
import { age, amount, bytes, clockTime, count, duration, plural } from './format.js';

/**
 * Shows what the engine sends over `/api/v1/live`: a `hello` with the past, then complete snapshots. Nothing is kept but
 * the curve, so a snapshot that was missed does no harm. After a loss it tries again, ever more slowly, until it succeeds.
 */
const RETRY_MS = { first: 500, max: 5_000 };
/** Without a snapshot for this long, a connection that still looks open is given up. */
const SILENCE_MS = 5_000;
const CURVE_SLOTS = 240;
const CHECKPOINTS_SHOWN = 6;
const RESCALES_SHOWN = 4;
const FAILURES_SHOWN = 4;

let retryMs = RETRY_MS.first;
let job = null;
let rates = [];

connect();

function connect() {
  const socket = new WebSocket(new URL('/api/v1/live', location.href.replace(/^http/, 'ws')));
  let silence = setTimeout(() => socket.close(), SILENCE_MS);
  socket.addEventListener('message', ({ data }) => {
    clearTimeout(silence);
    silence = setTimeout(() => socket.close(), SILENCE_MS);
    receive(JSON.parse(data));
  });
  socket.addEventListener('close', () => {
    clearTimeout(silence);
    connection('lost', 'connection lost, retrying');
    setTimeout(connect, retryMs);
    retryMs = Math.min(retryMs * 2, RETRY_MS.max);
  });
}

function receive(message) {
  if (message.kind === 'hello') {
    const [past] = Object.entries(message.history);
    job = past?.[0] ?? null;
    rates = past?.[1].map((figures) => figures.recordsPerSecond) ?? [];
    return;
  }
  retryMs = RETRY_MS.first;
  connection('live', 'live');
  showWindows(message.windows);
  showLake(message.lake);
  const [view] = message.jobs;
  if (view === undefined) showNoJob();
  else showJob(view, message.at);
}

function connection(state, text) {
  const element = byId('connection');
  element.dataset.state = state;
  setText(element, text);
  document.body.toggleAttribute('data-stale', state === 'lost');
}

function showNoJob() {
  setText(byId('job'), 'waiting for a job');
  setState(byId('state'), 'none');
}

function showJob({ status, figures, flows }, at) {
  document.title = `${status.name} · Millrace`;
  setText(byId('job'), status.name);
  setState(byId('state'), status.state);
  setText(
    byId('run'),
    `generation ${status.generation} · ${plural(status.restarts, 'restart')} · up ${duration(at - status.startedAt)}`,
  );
  showFigures(status, figures);
  fillTable(
    byId('operators'),
    status.operators.map((operator) => operatorRow(operator, flows[operator.id])),
  );
  showCheckpoints(status, at);
  showRescales(status.rescales, at);
  showFailures(status.failures, at);
}

function showFigures(status, figures) {
  if (job !== status.name) rates = [];
  job = status.name;
  rates.push(figures.recordsPerSecond);
  rates = rates.slice(-CURVE_SLOTS);
  setText(byId('rate'), count(figures.recordsPerSecond));
  setText(
    byId('rate-note'),
    `last 2 min · ${plural(figures.recordsRead, 'event')} read · ${count(figures.lateRecords)} late · ${plural(figures.deadLetters, 'dead letter')}`,
  );
  drawCurve(byId('curve'), rates, CURVE_SLOTS);
  setText(byId('lag'), duration(figures.watermarkLagMs));
  setText(byId('backlog'), count(figures.backlogRecords));
  setText(byId('backlog-note'), `in ${plural(status.sources.length, 'partition')}`);
}

function operatorRow(operator, flow) {
  return [
    operator.parallelism === 1 ? operator.id : `${operator.id} × ${operator.parallelism}`,
    operator.kind,
    { number: count(flow.inPerSecond) },
    { number: count(flow.outPerSecond) },
    { number: operator.stateKeys === 0 ? '–' : count(operator.stateKeys) },
    { number: operator.lateRecords === 0 ? '–' : count(operator.lateRecords) },
    { shares: flow.shares },
  ];
}

function showWindows(windows) {
  const latest = windows?.latest ?? [];
  byId('windows-empty').hidden = latest.length > 0;
  byId('windows').hidden = latest.length === 0;
  fillTable(byId('windows'), latest.map(windowRow));
}

/** The values that jobs/device-telemetry writes; a series without one of them shows a dash. */
function windowRow({ key, point: { start, end, values } }) {
  return [
    key,
    { number: `${clockTime(start)} + ${duration(end - start)}` },
    { number: count(values.n) },
    { number: amount(values.temp, 1, '°C') },
    { number: amount(values.cold, 1, '°C') },
    { number: amount(values.hot, 1, '°C') },
    { number: amount(values.vib, 2, 'mm/s') },
    { number: values.rpm === undefined || values.rpm === null ? '–' : `${count(values.rpm)} rpm` },
  ];
}

function showLake(lake) {
  setText(byId('lake-rows'), count(lake?.rows));
  setText(
    byId('lake-note'),
    lake === null
      ? 'no table yet'
      : `${plural(lake.files, 'file')} · ${bytes(lake.bytes)} · ${plural(lake.snapshots, 'snapshot')}`,
  );
}

function showCheckpoints({ checkpoints, checkpointIntervalMs }, at) {
  const { completed, failed, inProgress, history } = checkpoints;
  const now = inProgress === null ? '' : ` · ${inProgress} in progress`;
  setText(
    byId('checkpoints-note'),
    `every ${duration(checkpointIntervalMs)} · ${count(completed)} completed · ${count(failed)} failed${now}`,
  );
  const rows = history
    .slice(0, CHECKPOINTS_SHOWN)
    .map((entry) => [
      { number: `${entry.kind === 'savepoint' ? 'savepoint ' : ''}${entry.id}` },
      { pill: entry.outcome },
      { number: duration(entry.durationMs) },
      { number: bytes(entry.stateBytes) },
      { number: bytes(entry.writtenBytes) },
      { number: age(at - entry.triggeredAt) },
    ]);
  fillTable(byId('checkpoints'), rows);
}

function showRescales(rescales, at) {
  byId('rescales-part').hidden = rescales.length === 0;
  const rows = rescales
    .slice(0, RESCALES_SHOWN)
    .map((entry) => [
      { number: `${entry.from} → ${entry.to}` },
      { pill: entry.outcome },
      { number: duration(entry.downtimeMs) },
      { number: age(at - entry.at) },
    ]);
  fillTable(byId('rescales'), rows);
}

function showFailures(failures, at) {
  const shown = failures.slice(0, FAILURES_SHOWN);
  byId('failures-empty').hidden = shown.length > 0;
  const list = byId('failures');
  while (list.children.length > shown.length) list.lastElementChild.remove();
  for (const [index, failure] of shown.entries()) {
    const item = list.children[index] ?? list.appendChild(newFailure());
    const [code, where, message] = item.children;
    setText(code, failure.code);
    setText(
      where,
      ` ${failure.operator ?? 'job'} · generation ${failure.generation} · ${age(at - failure.at)}`,
    );
    setText(message, failure.message);
  }
}

function newFailure() {
  const item = document.createElement('li');
  const where = document.createElement('span');
  where.className = 'quiet';
  item.append(document.createElement('code'), where, document.createElement('p'));
  return item;
}
