# SPDX-License-Identifier: Apache-2.0
"""One run of a program under hubstack's monitor, in a process of its own: prints what it cost and what it registered.

    python -m benchmarks.plain.run PROJECT_DIR SETTINGS

CPU time of the program and of the monitor; largest memory of the program alone.
"""

import hashlib
import json
import resource
import sys
from pathlib import Path

from benchmarks.plain.data import SILENCE_SECONDS
from benchmarks.stacks import STACK
from hubstack.review.preview import Graph, preview


def digest(graph: Graph) -> str:
    """Return a hash of all registered resources, without the outputs of components."""
    said = [{**each.plain(), "outputs": None} for each in graph.resources]
    return hashlib.sha256(json.dumps([said, graph.outputs], sort_keys=True).encode()).hexdigest()


def cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def main() -> None:
    project, settings = (Path(argument) for argument in sys.argv[1:])
    before = cpu_s(resource.RUSAGE_SELF)
    graph = preview(project, stack=STACK, config=settings, timeout_seconds=SILENCE_SECONDS)
    cost = {
        "monitor_s": cpu_s(resource.RUSAGE_SELF) - before,
        "program_s": cpu_s(resource.RUSAGE_CHILDREN),
        "program_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "resources": len(graph.resources),
    }
    print(json.dumps({**cost, "digest": digest(graph)}))


if __name__ == "__main__":
    main()
