# SPDX-License-Identifier: Apache-2.0
"""Write hubstack/deploy/weights_job/requirements.txt: `python3.12 .ci/pin_loader.py huggingface_hub==2.4.0`.

pip decides, run by the Python, libc and processor of the loader's image; each package is one wheel with its hash.
"""

import json
import platform
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "hubstack" / "loader" / "requirements.txt"
IMAGE = ("3.12", "Linux", "x86_64", "glibc")
HEAD = "# Written by .ci/pin_loader.py for Python 3.12 on x86_64 Linux: one wheel and its hash a package.\n"


def main(wanted: list[str]) -> int:
    """Ask PyPI and write the file; return the exit code."""
    here = (*platform.python_version_tuple()[:2], platform.system(), platform.machine(), platform.libc_ver()[0])
    if (f"{here[0]}.{here[1]}", *here[2:]) != IMAGE or not wanted:
        sys.stderr.write(f"run it with Python {' '.join(IMAGE)}, and say what to install\n")
        return 2
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--report",
        "-",
        "--only-binary",
        ":all:",
        *wanted,
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    lines = [
        f"{each['metadata']['name'].lower()}=={each['metadata']['version']} "
        f"--hash=sha256:{each['download_info']['archive_info']['hashes']['sha256']}\n"
        for each in json.loads(done.stdout)["install"]
    ]
    scratch = FILE.with_suffix(".tmp")
    scratch.write_text(HEAD + "".join(sorted(lines)), encoding="utf-8")
    scratch.replace(FILE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
