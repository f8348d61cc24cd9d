import t from 'tap';
import { HELP, parseSettings } from '../../edge-forwarder/settings.ts';

await t.test('values are read by name, with defaults and bounds', (t) => {
  const settings = parseSettings([
    '--rate',
    '250',
    '--grace',
    '90s',
    '--late-share',
    '0.25',
    '--profile',
    'flash',
    '--no-wait',
    'fleet',
  ]);
  t.equal(settings.input, 'fleet');
  t.equal(settings.number('rate', 1, 1, 1_000), 250);
  t.equal(settings.number('devices', 7, 1, 1_000), 7);
  t.equal(settings.number('late-share', 0, 0, 1), 0.25);
  t.equal(settings.duration('grace', '5m'), 90_000);
  t.equal(settings.duration('late', '5m'), 300_000);
  t.equal(settings.choice('profile', ['balanced', 'flash']), 'flash');
  t.equal(settings.choice('pace', ['realtime', 'asFastAsPossible']), 'realtime');
  t.ok(settings.flag('no-wait'));
  t.notOk(settings.flag('resume'));
  t.end();
});

await t.test('what cannot be is refused by name', (t) => {
  const refused = { code: 'MR_CONFIG_INVALID' };
  t.throws(() => parseSettings(['--no-such', 'fleet']), refused);
  t.throws(() => parseSettings(['disk']), refused);
  t.throws(() => parseSettings(['fleet', 'stdin']), refused);
  t.throws(() => parseSettings(['--rate']), refused);
  const settings = parseSettings(['--rate', '1.5', '--grace', 'soon', '--profile', 'quick', 'fleet']);
  t.throws(() => settings.number('rate', 1, 1, 10), /--rate must be a whole number from 1 to 10, got '1.5'/);
  t.throws(() => settings.duration('grace', '1s'), /--grace/);
  t.throws(() => settings.choice('profile', ['safe', 'flash']), /--profile must be one of safe, flash/);
  t.throws(() => settings.required('topic'), /--topic is required/);
  t.end();
});

await t.test('the help names every option', (t) => {
  for (const [, name] of HELP.matchAll(/--([a-z-]+)/g)) {
    const takesValue = HELP.includes(`--${name} <`);
    t.doesNotThrow(() => parseSettings(takesValue ? [`--${name}`, 'x'] : [`--${name}`]), `--${name}`);
  }
  t.end();
});
