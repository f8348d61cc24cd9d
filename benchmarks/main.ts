import { parseArgs } from 'node:util';
import { runT1 } from './t1/run.ts';

const HELP = `Usage: npm run bench -- t1 [options]

Runs a workload in every variant, interleaved, each run in a process of its own, and compares CPU time per event. A run whose
results differ from the others' fails.

  t1                    10 s windows per device: count and average, minimum, maximum of four fields
  --events <n>          default 10000000
  --devices <n>         default 10000
  --runs <n>            counted runs of each variant, default 5
  --variants <list>     of floor, engine, functions, interpreted, drain; default floor,engine,functions,drain
  --json <file>         also writes every run there
  --help
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string', default: '10000000' },
    devices: { type: 'string', default: '10000' },
    runs: { type: 'string', default: '5' },
    variants: { type: 'string', default: 'floor,engine,functions,drain' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const counts = [values.events, values.devices, values.runs].map(Number) as [number, number, number];
if (values.help) {
  process.stdout.write(HELP);
} else if (positionals[0] !== 't1' || !counts.every((n) => Number.isSafeInteger(n) && n > 0)) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  const [events, devices, runs] = counts;
  const json = values.json === undefined ? {} : { json: values.json };
  await runT1({ events, devices, runs, variants: values.variants.split(','), ...json });
}
