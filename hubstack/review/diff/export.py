# SPDX-License-Identifier: Apache-2.0
"""The process of one version: prints the plan, graph and facts of an environment as JSON.

Runs as a file with the version's own packages first on the path, so that each version is evaluated by its own
hubstack. Versions share only the path of this file and the format of its output.
"""

import dataclasses
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def main(name: str, folder: Path) -> dict[str, Any]:
    """Return the version's data; `missing` if it does not have the environment."""
    from hubstack.files.errors import HubstackError, InputError  # noqa: PLC0415
    from hubstack.inputs.environment import find_environment  # noqa: PLC0415  of the side
    from hubstack.inputs.stack import Stack  # noqa: PLC0415
    from hubstack.planner.inputs import StackInputs  # noqa: PLC0415
    from hubstack.planner.planner import plan_inputs  # noqa: PLC0415
    from hubstack.review.preview import preview  # noqa: PLC0415

    try:
        found = find_environment(name, folder, folder)
    except InputError:
        return {"missing": True}
    try:
        # The program's process loads the SDKs first, which takes longer than planning here.
        with ThreadPoolExecutor(max_workers=1) as pool:
            stack = Stack.load(found)
            running = pool.submit(preview, folder, stack=stack.name, config=stack.source)
            inputs = StackInputs.of(stack)
            plan, facts = plan_inputs(inputs), inputs.lock.models
            graph = running.result()
    except HubstackError as error:
        return {"error": str(error)}
    used = {(each.id, each.commit) for model in plan.models for each in (model, *(model.companions or ()))}
    return {
        "plan": json.loads(plan.to_json()),
        "graph": json.loads(graph.to_json()),
        "elsewhere": stack.elsewhere,
        "facts": [dataclasses.asdict(each) for each in facts if (each.id, each.commit) in used],
    }


if __name__ == "__main__":
    text = json.dumps(main(sys.argv[1], Path(sys.argv[2])))
    sys.stdout.write(text)
