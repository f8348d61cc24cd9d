import t from 'tap';
import { checkpointId, generation, MillraceError } from '#engine';
import type { HostCommand, HostReport } from '../../../engine/host/host-messages.ts';
import type { HostDeployment } from '../../../engine/host/host-protocol.ts';
import { RemoteHost } from '../../../engine/host/remote-host.ts';

const deployment: HostDeployment = {
  job: 'job',
  token: '1:x',
  generation: generation(1),
  parallelism: 1,
  host: 0,
  places: [0],
  begins: checkpointId(1),
  isFresh: true,
  sinkIds: {},
  poisoned: [],
};

function open() {
  const sent: string[] = [];
  let report: (message: HostReport) => void = () => {};
  let created: RemoteHost | null = null;
  let released = 0;
  const opening = RemoteHost.open(
    {
      post: (command: HostCommand) => void sent.push(command.kind),
      listen: (arrived) => {
        report = arrived;
      },
    },
    deployment,
    async () => void released++,
    (host) => {
      created = host;
    },
  );
  opening.catch(() => {});
  const host = () => created as unknown as RemoteHost;
  return { sent, opening, host, say: (message: HostReport) => report(message), released: () => released };
}

const gone = () => new MillraceError('MR_HOST_LOST', 'The worker is gone.');

void t.test('RH1: whatever waits for a host is rejected when it is lost, once and for all', async (test) => {
  const { opening, host, say } = open();
  say({ kind: 'opened', starts: [] });
  await opening;
  const running = host().run();
  const checkpoint = host().checkpoint(checkpointId(1));
  host().lost(gone());
  await test.rejects(running, { code: 'MR_HOST_LOST' });
  await test.rejects(checkpoint, { code: 'MR_HOST_LOST' });
  await test.rejects(host().checkpoint(checkpointId(2)), { code: 'MR_HOST_LOST' });
  const before = host().status();
  say({ kind: 'status', status: { members: [], tasks: [], sources: [], sinks: [] } });
  test.equal(host().status(), before, 'what comes of it later is ignored');
});

void t.test(
  'RH1: a host that is lost while it opens, or fails to open, lets go of what it had',
  async (test) => {
    const lost = open();
    lost.host().lost(gone());
    await test.rejects(lost.opening, { code: 'MR_HOST_LOST' });
    test.equal(lost.released(), 1);
    const failed = open();
    const error = {
      code: 'MR_SINK_REFUSED',
      message: 'no such table',
      stack: '',
      details: { operator: 'out' },
    };
    failed.say({ kind: 'failed', error });
    await test.rejects(failed.opening, { code: 'MR_SINK_REFUSED', details: { operator: 'out' } });
    test.same([failed.released(), failed.sent], [1, ['open', 'close']]);
  },
);

void t.test('a declined checkpoint is rejected with its cause; the host goes on', async (test) => {
  const { opening, host, say } = open();
  say({ kind: 'opened', starts: [] });
  await opening;
  const declined = host().checkpoint(checkpointId(1));
  const error = { code: 'MR_CHECKPOINT_NO_SPACE', message: 'full', stack: '', details: {} };
  say({ kind: 'declined', id: checkpointId(1), error });
  await test.rejects(declined, { code: 'MR_CHECKPOINT_NO_SPACE' });
  const running = host().run();
  say({ kind: 'ended', outcome: 'stopped' });
  test.equal(await running, 'stopped');
});
