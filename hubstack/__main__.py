# SPDX-License-Identifier: Apache-2.0
"""`python -m hubstack` is the `hubstack` command."""

from hubstack.cli.app import main

if __name__ == "__main__":
    main()
