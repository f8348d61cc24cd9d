import { parseArgs } from 'node:util';
import { runCheckpoint } from './checkpoint/run.ts';
import { runMicro } from './micro/run.ts';
import { runRescale } from './rescale/run.ts';
import { runWorkers } from './workers/run.ts';
import { runT1 } from './t1/run.ts';

const HELP = `Usage: npm run bench -- <command> [options]

Runs workloads in every variant, interleaved, each run in a process of its own, and compares CPU time per event. A run whose
results differ from the others' fails.

  t1                    10 s windows per device: count and average, minimum, maximum of four fields
    --events <n>        default 10000000
    --devices <n>       default 10000
    --variants <list>   of floor, engine, functions, interpreted, drain; default floor,engine,functions,drain

  micro                 one operator on one core, fed from memory, beside the same query written by hand
    --workloads <list>  of session, sliding, sliding-dense, process, interval-join, top-n; default all
    --events <n>        default 5000000
    --keys <n>          default 10000

  checkpoint            snapshots of one operator while it takes records: how long these wait, and the restore
    --workloads <list>  of windows, sessions, process; default all
    --keys <n>          default 1000000

  rescale               a job with much state rescaled 1 → 4 → 2 on two workers while loaded, and forked at 3
    --keys <n>          default 1000000

  workers               the device telemetry job with all sinks on one slot, two threads and two workers
    --events <n>        default 2000000

  --runs <n>            counted runs of each variant, default 5
  --json <file>         also writes every run there
  --help
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string' },
    devices: { type: 'string', default: '10000' },
    keys: { type: 'string' },
    runs: { type: 'string', default: '5' },
    variants: { type: 'string', default: 'floor,engine,functions,drain' },
    workloads: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const DEFAULTS: Readonly<Record<string, { events: string; keys: string; workloads: string }>> = {
  t1: { events: '10000000', keys: '10000', workloads: '' },
  micro: {
    events: '5000000',
    keys: '10000',
    workloads: 'session,sliding,sliding-dense,process,interval-join,top-n',
  },
  rescale: { events: '1', keys: '1000000', workloads: '' },
  workers: { events: '2000000', keys: '1', workloads: '' },
  checkpoint: { events: '1', keys: '1000000', workloads: 'windows,sessions,process' },
};
const [command = ''] = positionals;
const known = Object.hasOwn(DEFAULTS, command) ? DEFAULTS[command] : undefined;
const counts = [values.events ?? known?.events, values.devices, values.keys ?? known?.keys, values.runs].map(
  Number,
);
if (values.help) {
  process.stdout.write(HELP);
} else if (known === undefined || !counts.every((n) => Number.isSafeInteger(n) && n > 0)) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  const [events, devices, keys, runs] = counts as [number, number, number, number];
  const json = values.json === undefined ? {} : { json: values.json };
  const workloads = (values.workloads ?? known.workloads).split(',');
  if (command === 't1') await runT1({ events, devices, runs, variants: values.variants.split(','), ...json });
  else if (command === 'rescale') await runRescale({ keys, ...json });
  else if (command === 'workers') await runWorkers({ events, runs, ...json });
  else if (command === 'micro') await runMicro({ events, keys, runs, workloads, ...json });
  else await runCheckpoint({ keys, runs, workloads, ...json });
}
