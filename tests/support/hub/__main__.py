# SPDX-License-Identifier: Apache-2.0
"""Serve the stand-in by hand: `python -m tests.support.hub --port 0`, then `HF_ENDPOINT=<url> hubstack lock`."""

import argparse
import threading

from tests.support.hub import TOKENS, StandIn, invented_collections, invented_repositories, real_repositories


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    port = parser.parse_args().port
    with StandIn([*real_repositories(), *invented_repositories()], invented_collections(), port=port) as hub:
        print(hub.url, flush=True)
        for token, right in TOKENS.items():
            print(f"HF_TOKEN={token}  # {right}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
