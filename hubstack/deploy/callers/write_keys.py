# SPDX-License-Identifier: Apache-2.0
"""Gives Envoy the callers' keys, and again whenever they change. Standard library only; runs beside Envoy.

Reads one file per caller, a key on each line, and writes them as the configuration of Envoy's API key filter, which
Envoy loads without a restart. Keys exist in memory only: both folders are memory-backed volumes.
"""

import argparse
import json
import sys
import time
from pathlib import Path

FILTER = "envoy.filters.http.api_key_auth"
SHORTEST = 20


def read_keys(folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Return each caller's keys, and what is wrong with the others; never a key itself."""
    found: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    wrong: list[str] = []
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        kept: list[str] = []
        for number, key in enumerate(path.read_text(encoding="utf-8").split(), 1):
            if len(key) < SHORTEST:
                wrong.append(f"{path.name}: key {number} is shorter than {SHORTEST} characters and not accepted")
            elif key in owner and owner[key] != path.name:
                wrong.append(f"{path.name}: key {number} is also a key of {owner[key]} and not accepted")
            elif key not in owner:
                owner[key] = path.name
                kept.append(key)
        if kept:
            found[path.name] = kept
    return found, wrong


def discovery(keys: dict[str, list[str]], header: str) -> str:
    """Return the keys as a response of Envoy's extension config discovery."""
    credentials = [{"key": key, "client": name} for name, each in keys.items() for key in each]
    config = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": credentials,
        "key_sources": [{"header": "authorization"}],
        "forwarding": {"header": header, "hide_credentials": True},
    }
    resource = {
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": FILTER,
        "typed_config": config,
    }
    return json.dumps({"resources": [resource]})


def write(path: Path, text: str) -> None:
    """Replace a file in one step, which is what Envoy watches for."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--to", dest="target", type=Path, required=True)
    parser.add_argument("--header", required=True)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--once", action="store_true")
    asked = parser.parse_args()
    written, told = "", None
    while True:
        keys, wrong = read_keys(asked.source)
        text = discovery(keys, asked.header)
        if text != written:
            write(asked.target, text)
            written = text
        told_now = (sorted((name, len(each)) for name, each in keys.items()), wrong)
        if told_now != told:
            told = told_now
            counts = ", ".join(f"{name} {count}" for name, count in told[0]) or "none"
            sys.stderr.write("\n".join([f"keys by caller: {counts}", *wrong, ""]))
            sys.stderr.flush()
        if asked.once:
            return
        time.sleep(asked.seconds)


if __name__ == "__main__":
    main()
