"""What a run costs: CPU of the whole process, all threads, and wall time."""

import json
import resource
import time


def measured(run):
    cpu, wall = time.process_time(), time.perf_counter()
    result = run()
    return {"cpuMs": (time.process_time() - cpu) * 1e3, "wallMs": (time.perf_counter() - wall) * 1e3}, result


def outcome(version, events, cost):
    """One line of JSON. The memory is the highest that the process has had, with the file, which it holds."""
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return json.dumps({"version": version, "events": events, **cost, "rssMb": rss})
