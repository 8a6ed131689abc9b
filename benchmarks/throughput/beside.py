# SPDX-License-Identifier: Apache-2.0
"""What aiconfigurator 0.12 predicts for the rows, written to aiconfigurator.yaml; the page compares it with hubstack.

    uv run --frozen --with aiconfigurator==0.12.0 python -m benchmarks.throughput.beside [--minutes N]

No dependency of hubstack: the package has measured kernels of NVIDIA's GPUs, and loads each GPU's and engine's tables for
seconds. A row is asked with its model, engine, lengths, callers and layout, at the package's newest tables; weights have the
number format of the checkpoint that the row names. Rows of replicas, of another GPU and of another engine are not asked.
"""

import argparse
import logging
import random
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from benchmarks.throughput.rows import ROWS

ANSWERS = Path(__file__).parent / "aiconfigurator.yaml"
HEAD = """# SPDX-License-Identifier: Apache-2.0
# Written by `python -m benchmarks.throughput.beside`: row to the output tokens a second and the milliseconds per token that
# aiconfigurator 0.12 predicts, for at most 6 rows of each accelerator and engine, drawn with a fixed seed.
"""
SYSTEMS = {
    "a100-80gb": "a100_sxm",
    "b200": "b200_sxm",
    "b300": "b300_sxm",
    "gb200": "gb200",
    "h100-80gb": "h100_sxm",
    "h200": "h200_sxm",
    "l4": "l4",
    "l40s": "l40s",
    "rtx-pro-6000": "rtx_pro_6000_server",
}
TWINS = {
    "Llama-3.1-70B": "meta-llama/Meta-Llama-3.1-70B",
    "Llama-3.3-70B": "meta-llama/Meta-Llama-3.1-70B",
    "Llama-3.1-8B": "meta-llama/Meta-Llama-3.1-8B",
    "Llama-3-8B": "meta-llama/Meta-Llama-3.1-8B",
    "Llama-3.1-405B": "meta-llama/Meta-Llama-3.1-405B",
}
TWINS_FP8 = {
    "Llama-3.1-70B": "nvidia/Llama-3.1-70B-Instruct-FP8",
    "Llama-3.3-70B": "nvidia/Llama-3.1-70B-Instruct-FP8",
}
"""The same geometry in the same number format."""
ENGINES = ("sglang", "trtllm", "vllm")
MOST = 6
SEED = 0


def main() -> None:
    """Ask for those rows of a sample without an answer; the time is a limit, after which what was answered is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput.beside", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="stop asking after this time")
    end = time.monotonic() + 60 * parser.parse_args().minutes
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    answers: dict[str, tuple[float, float]] = yaml.load(ANSWERS.read_bytes(), Loader=yaml.CSafeLoader) or {}
    refused: Counter[str] = Counter()
    for row in sample():
        if row["id"] in answers:
            continue
        if time.monotonic() > end:
            break
        found = _ask(row)
        if isinstance(found, tuple):
            answers[row["id"]] = found
        else:
            refused[found] += 1
    lines = [f"{key}: [{speed:.1f}, {token:.2f}]" for key, (speed, token) in sorted(answers.items())]
    ANSWERS.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(answers)} rows answered; refused: {dict(refused.most_common(5))}")


def sample() -> list[dict[str, Any]]:
    """Return the rows that are asked, those of one accelerator and engine together."""
    rows = yaml.load(ROWS.read_bytes(), Loader=yaml.CSafeLoader)["rows"]
    random.Random(SEED).shuffle(rows)
    seen: Counter[tuple[str, str]] = Counter()
    kept: list[dict[str, Any]] = []
    for row in rows:
        key = row["accelerator"], row["engine"]
        whole = all(row.get(each) for each in ("tensor_parallel", "input_tokens", "output_tokens", "concurrency"))
        one = (row.get("data_parallel") or 1) == 1
        if key[0] in SYSTEMS and key[1] in ENGINES and whole and one and row["quality"] != "C" and seen[key] < MOST:
            seen[key] += 1
            kept.append(row)
    return sorted(kept, key=lambda row: (row["accelerator"], row["engine"], row["model"], row["id"]))


def _known(row: dict[str, Any]) -> str:
    """Return the model under the name of a configuration that the package carries: it would ask the Hub for others."""
    names = TWINS if row["weights_format"] == "bf16" else TWINS_FP8 if row["weights_format"] == "fp8" else {}
    return next((twin for part, twin in names.items() if part in row["model"]), row["model"])


def _ask(row: dict[str, Any]) -> tuple[float, float] | str:
    """Return output tokens a second and milliseconds per token, or the kind of refusal."""
    from aiconfigurator.cli.api import cli_estimate  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    experts, ranks = row.get("expert_parallel") or 1, row["tensor_parallel"]
    try:
        found = cli_estimate(
            _known(row),
            SYSTEMS[row["accelerator"]],
            backend_name=row["engine"],
            isl=round(row["input_tokens"]),
            osl=max(2, round(row["output_tokens"])),
            batch_size=max(1, round(row["concurrency"])),
            tp_size=ranks,
            pp_size=row.get("pipeline_parallel") or 1,
            moe_tp_size=max(1, ranks // experts),
            moe_ep_size=experts,
        )
    except Exception as error:  # noqa: BLE001  a model, an engine or a size that it does not know
        return f"{type(error).__name__}: {str(error)[:60]}"
    return float(found.tokens_per_second), float(found.tpot)


if __name__ == "__main__":
    main()
