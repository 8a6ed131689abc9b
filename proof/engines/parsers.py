# SPDX-License-Identifier: Apache-2.0
"""The engines' own parsers: what each says of a command line, by the code of the release that is deployed.

Owns how they are asked. vLLM's and SGLang's are their Python, without the packages of `parse.Absent`; llama.cpp's
is its server, which parses everything before it looks for the model.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from proof.binaries import SandboxError
from proof.engines.install import Engines
from proof.engines.other_versions import folder_of

HERE = Path(__file__).resolve().parent
_REFUSED = re.compile(r"error: invalid argument.*|error while handling argument.*")
SECONDS = 600


def refusals(
    engines: Engines, release: str, commands: Sequence[Sequence[str]], version: str | None = None
) -> list[str | None]:
    """Return what a release's parser says of each command line: why it refuses it, None where it accepts.

    Args:
        engines: installed.
        release: file name in `releases/`, or `llama-server`.
        commands: arguments after the program's name and `serve`.
        version: another version of the catalogue; None for the default one.
    """
    if release == "llama-server":
        return [_of_llama_server(engines, words) for words in commands]
    folder = folder_of(engines, release, version) if version else engines.release(release)
    environment = {**os.environ, **engines.environment, "PYTHONPATH": str(folder or "")}
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "commands.json"
        file.write_text(json.dumps(commands))
        done = subprocess.run(
            [engines.python, "-P", HERE / "parse.py", release, file],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise SandboxError(f"the parser of {release} could not be asked:\n{done.stderr[-2000:]}")
        return json.loads(file.read_text())


def _of_llama_server(engines: Engines, words: Sequence[str]) -> str | None:
    done = subprocess.run(
        [engines.programs / "llama-server", *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    log = done.stderr + done.stdout
    said = _REFUSED.search(log)
    if said is None and "load_model: loading model" not in log:
        raise SandboxError(f"llama-server neither refused its arguments nor looked for its model:\n{log}")
    return said and said[0]
