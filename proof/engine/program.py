# SPDX-License-Identifier: Apache-2.0
"""The process of a program under the engine: settings and config set, then `__main__.py` as it stands.

As the CLI's own host has it (pulumi/pulumi, sdk/python/cmd/pulumi-language-python-exec, read 2026-11-25).
"""

import asyncio
import json
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
from pulumi import runtime

_LEAST_WORKERS = 4


def main() -> int:
    """Run the program that the host describes and return its exit code."""
    said = json.loads(os.environ["HUBSTACK_PROOF_PROGRAM"])
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    workers = max(said["parallel"], 1) * 4 if said["parallel"] < 1000 else 64
    runtime.configure(
        runtime.Settings(
            monitor=said["monitor"],
            engine=said["engine"],
            project=said["project"],
            stack=said["stack"],
            parallel=said["parallel"],
            dry_run=said["dry_run"],
            organization=said["organization"],
            root_directory=said["root_directory"],
        )
    )
    program = Path(said["program"]).resolve()
    sys.argv = [str(program)]
    sys.path.insert(0, str(program if program.is_dir() else program.parent))

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(workers, _LEAST_WORKERS)))
    try:
        loop.run_until_complete(runtime.run_in_stack(run))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 32
    except Exception:  # noqa: BLE001  whatever a program raises is reported, as the host does
        pulumi.log.error(traceback.format_exc())
        return 32
    finally:
        loop.close()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
