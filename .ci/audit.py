# SPDX-License-Identifier: Apache-2.0
"""hubstack's own bill of materials, and the known vulnerabilities of the packages in it: `./dev audit`.

Owns the verdict only: uv writes the bill, pip-audit asks PyPI. A package that PyPI did not answer for is not
audited, and is said to be so: pip-audit itself calls such a run clean. Ends with 1 where a vulnerability is known,
with 0 where none is or nobody could be asked.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
BILL = PROJECT / "dist" / "hubstack.cdx.json"


def export(form: str, output: Path, *more: str) -> None:
    """Export `uv.lock` in another format."""
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    output.parent.mkdir(exist_ok=True)
    command = [uv, "export", "--frozen", "--quiet", "--format", form, "--output-file", str(output), *more]
    subprocess.run(command, cwd=PROJECT, check=True)  # noqa: S603


def ask(requirements: Path) -> tuple[list[dict[str, Any]], str]:
    """Return pip-audit's row for each package, and its error output."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(requirements),
        "--require-hashes",
        "--disable-pip",
        "--vulnerability-service",
        "pypi",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        return json.loads(done.stdout)["dependencies"], done.stderr
    except (ValueError, KeyError):
        return [], done.stderr


def judge(rows: list[dict[str, Any]], complaint: str) -> tuple[list[str], int]:
    """Return the lines to print and the exit code."""
    found = [(row["name"], row["version"], known) for row in rows for known in row.get("vulns", ())]
    skipped = [row["name"] for row in rows if "skip_reason" in row]
    lines = [
        f"{name} {version}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'no version yet'}"
        for name, version, known in found
    ]
    lines.append(f"{len(rows) - len(skipped)} packages audited, {len(found)} known vulnerabilities")
    if skipped or not rows:
        why = next((row["skip_reason"] for row in rows if "skip_reason" in row), complaint.strip()[-300:])
        lines.append(f"NOT AUDITED: {len(skipped) or 'all'} packages, since PyPI did not answer for them ({why})")
    return lines, 1 if found else 0


def main() -> int:
    """Write the bill of materials, run pip-audit and print the result."""
    export("cyclonedx1.5", BILL, "--no-dev")
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        export("requirements.txt", requirements, "--no-emit-project")
        lines, code = judge(*ask(requirements))
    print(f"bill of materials: {BILL.relative_to(PROJECT)}", *lines, sep="\n")  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
