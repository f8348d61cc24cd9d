import t from 'tap';
import { edgeDigests, GIVEN_BY_FLINK } from '../../benchmarks/truth/edge-digests.ts';
import { edgeFile } from '../../benchmarks/truth/edge-events.ts';
import { runEdges } from '../../benchmarks/truth/edges.ts';

t.setTimeout(60_000);

for (const isGeneral of [false, true]) {
  const how = isGeneral ? 'with a trigger named' : 'as they are';
  void t.test(
    `windows, timers and joins at their edges give row for row what Flink gives, ${how}`,
    async (test) => {
      const results = await runEdges(edgeFile(test.testdir()).frames(), isGeneral);
      test.same(edgeDigests(results.lines()), GIVEN_BY_FLINK);
    },
  );
}
