# SPDX-License-Identifier: Apache-2.0
"""An HTTP stand-in of the Hugging Face Hub, for the real client.

    repository.py  what a repository is: commits, branches, files, card, access
    tiny.py        tiny repositories, with all their bytes
    fault.py       what can go wrong on a route, and how often
    server.py      the routes, and the record of requests

Real and invented models for tests are in `tests/support/hub`.
"""
