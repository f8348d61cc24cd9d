import fc from 'fast-check';
import t from 'tap';
import { errorCode } from '#engine';
import { checkedCommand } from '../../../ops/commands/job-command.ts';

const HASH = 'a'.repeat(64);

void t.test('commands as they come over a queue: what is well formed is taken as it is', async (test) => {
  const commands = [
    { kind: 'deploy', job: 'j', bundle: HASH },
    { kind: 'deploy', job: 'j', bundle: HASH, parallelism: 4, restoreFrom: { job: 'k', checkpoint: 7 } },
    { kind: 'cancel', job: 'j' },
    { kind: 'stop', job: 'j' },
    { kind: 'stop-with-savepoint', job: 'j', drain: true },
    { kind: 'savepoint', job: 'j' },
    { kind: 'rescale', job: 'j', parallelism: 2 },
    { kind: 'restart', job: 'j' },
    { kind: 'fork', job: 'j', name: 'k', bundle: HASH, checkpoint: 3 },
    { kind: 'remove', job: 'j' },
  ];
  for (const command of commands) test.equal(checkedCommand(command), command);
});

void t.test('commands: what is not is refused with the field that is wrong', async (test) => {
  const cases = [
    [{ kind: 'explode', job: 'j' }, /there is no command 'explode'/],
    [{ kind: 'constructor', job: 'j' }, /there is no command 'constructor'/],
    [null, /there is no command/],
    [{ kind: 'stop' }, /'job' of stop is undefined/],
    [{ kind: 'stop', job: 'a b' }, /job name 'a b'/],
    [{ kind: 'deploy', job: 'j', bundle: 'abc' }, /'bundle' of deploy is "abc"/],
    [{ kind: 'rescale', job: 'j', parallelism: 0 }, /'parallelism' of rescale is 0/],
    [{ kind: 'rescale', job: 'j', parallelism: '2' }, /'parallelism' of rescale is "2"/],
    [{ kind: 'stop', job: 'j', drain: true }, /stop has no field 'drain'/],
    [{ kind: 'deploy', job: 'j', bundle: HASH, restoreFrom: { job: 'k' } }, /'restoreFrom'/],
  ] as const;
  for (const [value, message] of cases)
    test.throws(() => checkedCommand(value), { message }, JSON.stringify(value));
});

void t.test('commands: whatever comes is taken or refused with a code, never anything else', async () => {
  const kind = fc.constantFrom('deploy', 'stop', 'rescale', 'fork', 'restart', 'remove', '__proto__');
  const value = fc.oneof(
    fc.anything(),
    fc.record(
      { kind, job: fc.anything(), parallelism: fc.anything(), bundle: fc.anything() },
      { requiredKeys: [] },
    ),
  );
  fc.assert(
    fc.property(value, (given) => {
      try {
        return checkedCommand(given) === given;
      } catch (error) {
        return ['MR_API_INVALID', 'MR_CONFIG_INVALID'].includes(errorCode(error) ?? '');
      }
    }),
  );
});
