# SPDX-License-Identifier: Apache-2.0
"""`hubstack init`: creates the model list of a new environment from existing Kubernetes manifests.

    objects.py       files -> Kubernetes objects, each value with its place
    workloads.py     objects -> workloads that run containers, with replicas and the data of ConfigMaps
    compositions.py  services, completed with the runtimes and configurations that they refer to
    command_line.py  a container -> its commands as words, with variables resolved
    shell.py         a script -> the commands that it would run
    downloads.py     a command -> the repositories that it downloads
    staged.py        the path that a server loads -> the repository that was downloaded there
    containers.py    a container -> its engine and flags
    flags.py         flags -> keys of the list, and flags without a matching key (flags.yaml)
    servers.py       a workload -> entries of the list
    entry.py         the results: entries, unidentified models, skipped workloads
    operators.py     a custom resource -> entries (presets.yaml)
    unread.py        other kinds, charts and YAML -> models that are not read
    overlays.py      kustomizations -> the files that they change
    listing.py       entries -> the text of the list, validated by the model list's own parser
    manifests.py     files -> the models in them
    command.py       `hubstack init`: the files of a new environment

Makes no network calls: `hubstack.hub.remote` reads collections. Never writes a value that may be a secret: for
variables only names are shown, for flags only values that flags.yaml allows.
"""

from hubstack.inputs.init.command import InitOptions, check_options, write_environment
from hubstack.inputs.init.entry import Entry, Found, Setting, Unknown
from hubstack.inputs.init.manifests import read_manifests

__all__ = [
    "Entry",
    "Found",
    "InitOptions",
    "Setting",
    "Unknown",
    "check_options",
    "read_manifests",
    "write_environment",
]
