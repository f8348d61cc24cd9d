"""T1 on Bytewax: 10 s tumbling windows per device, count and average, minimum, maximum of four measures.

`python t1.py t1 <file> <warm-up events> <file for rows>`: runs it once, after a run over the first events, and prints what it cost as one
line of JSON."""

import sys
from importlib.metadata import version
from itertools import islice
from math import inf
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from cost import measured, outcome
from frames import frames, leading

WINDOW_MS = 10_000
BOUND_MS = 1_000
# Of one batch. Every key that a batch touches costs a call, so that larger ones are cheaper.
FRAMES_PER_BATCH = 100


class Measures(StatelessSourcePartition):
    """Pairs of device and (time, measures …)."""

    def __init__(self, data):
        self.frames = frames(data)

    def next_batch(self):
        batch = []
        for frame in islice(self.frames, FRAMES_PER_BATCH):
            frame.check()
            at, device, *measures = frame.columns((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6))
            batch += zip(device, zip(at.tolist(), *(values.tolist() for values in measures)))
        if not batch:
            raise StopIteration
        return batch


class FrameSource(DynamicSource):
    def __init__(self, data):
        self.data = data

    def build(self, step_id, worker_index, worker_count):
        return Measures(self.data)


class DeviceWindows(StatefulBatchLogic):
    """The open windows of one device. Its own records move its watermark."""

    def __init__(self, open_windows):
        self.open = open_windows or {}
        self.watermark = -inf

    def on_batch(self, values):
        open_windows, latest = self.open, -inf
        for at, a, b, c, d in values:
            if at > latest:
                latest = at
            start = at - at % WINDOW_MS
            w = open_windows.get(start)
            if w is None:
                open_windows[start] = [1, a, a, a, b, b, b, c, c, c, d, d, d]
                continue
            w[0] += 1
            w[1] += a
            if a < w[2]:
                w[2] = a
            if a > w[3]:
                w[3] = a
            w[4] += b
            if b < w[5]:
                w[5] = b
            if b > w[6]:
                w[6] = b
            w[7] += c
            if c < w[8]:
                w[8] = c
            if c > w[9]:
                w[9] = c
            w[10] += d
            if d < w[11]:
                w[11] = d
            if d > w[12]:
                w[12] = d
        self.watermark = max(self.watermark, latest - BOUND_MS - 1)
        return (self._closed() if len(open_windows) > 1 else (), False)

    def on_eof(self):
        self.watermark = inf
        return (self._closed(), True)

    def snapshot(self):
        return {start: list(window) for start, window in self.open.items()}

    def _closed(self):
        ended = [start for start in self.open if start + WINDOW_MS - 1 <= self.watermark]
        return [(start, self.open.pop(start)) for start in ended]


class Rows(StatelessSinkPartition):
    def __init__(self, rows):
        self.rows = rows

    def write_batch(self, items):
        self.rows.extend(items)


class RowSink(DynamicSink):
    def __init__(self):
        self.rows = []

    def build(self, step_id, worker_index, worker_count):
        return Rows(self.rows)


def run(data):
    flow, sink = Dataflow("t1"), RowSink()
    measures = op.input("measures", flow, FrameSource(data))
    op.output("rows", op.stateful_batch("windows", measures, DeviceWindows), sink)
    run_main(flow)
    return sink.rows


def line(device, start, window):
    n, *cells = window
    values = ((cells[i] / n, cells[i + 1], cells[i + 2]) for i in range(0, len(cells), 3))
    return ",".join([device, str(int(start)), str(n), *(repr(value) for three in values for value in three)])


def main(path, warm_up, rows_path):
    data = Path(path).read_bytes()
    run(leading(data, int(warm_up)))
    cost, rows = measured(lambda: run(data))
    Path(rows_path).write_text("".join(f"{line(device, *row)}\n" for device, row in rows))
    print(outcome(version("bytewax"), sum(frame.records for frame in frames(data)), cost))


main(*sys.argv[2:])
