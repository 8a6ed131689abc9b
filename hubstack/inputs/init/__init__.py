# SPDX-License-Identifier: Apache-2.0
"""The first list of a new environment, made from what is there already.

    objects.py       files -> Kubernetes objects, each value with its place
    workloads.py     objects -> what runs containers, how many of it, and the values that its variables take
    command_line.py  a container -> the words of the engine's command, shells and variables resolved
    containers.py    a container -> the engine in it, and its flags
    flags.py         flags -> keys of the list, and what no key can say (flags.yaml)
    servers.py       a workload -> entries of the list
    entry.py         what was found: entries, models that stay unknown, workloads that serve none
    listing.py       entries -> the list's text, checked by the request's own parser
    command.py       `hubstack init`: files in, files out

It asks nobody: a collection is read by `hubstack.hub.remote`. A value that may be a secret is never written: of
variables only the names are shown, of flags the values that flags.yaml lets through.
"""

from hubstack.inputs.init.command import Asked, check_asked, read_manifests, write_environment
from hubstack.inputs.init.entry import Entry, Found, Setting, Unknown

__all__ = ["Asked", "Entry", "Found", "Setting", "Unknown", "check_asked", "read_manifests", "write_environment"]
