# SPDX-License-Identifier: Apache-2.0
"""The Pulumi CLI and the Kubernetes provider, built once from pinned Go modules.

Owns how the two are built. Versions are in `pulumi/go.mod` and `kubernetes/go.mod`, hashes beside them.
"""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from proof.binaries import FLAGS, Parts, Say, built, go, module_folders, version_of

HERE = Path(__file__).resolve().parent
PROGRAMS = ("pulumi", "pulumi-resource-kubernetes")
_CLI = "github.com/pulumi/pulumi/pkg/v3"
_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_EMBEDDED = ("schema.json", "terraform-mapping.json")


def programs(say: Say = lambda _: None) -> Path:
    """Return the folder of the programs, built first where that is needed."""
    notice = "building the Pulumi CLI and the Kubernetes provider from source: a quarter of an hour, once"
    modules = HERE / "pulumi", HERE / "kubernetes"
    return built(Parts("engine", PROGRAMS, modules, _build, notice), say)


def _build(folder: Path, say: Say) -> None:
    release = version_of(_CLI, HERE / "pulumi")
    say(f"Pulumi {release}")
    # Without its version the SDK cannot tell what the CLI knows.
    said = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={release}"
    go(["build", *FLAGS, said, "-o", f"{folder}/", "tool"], HERE / "pulumi")
    say(f"the Kubernetes provider {version_of(_PROVIDER, HERE / 'kubernetes')}: eight minutes and 5 GB of memory")
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        shutil.copytree(HERE / "kubernetes", work, dirs_exist_ok=True)
        module = module_folders(work)[_PROVIDER]
        for name in _EMBEDDED:
            shutil.copyfile(module / "cmd" / "pulumi-resource-kubernetes" / name, work / name)
        said = f"-s -w -X main.version={version('pulumi-kubernetes')}"
        go(["build", *FLAGS, said, "-o", f"{folder}/pulumi-resource-kubernetes", "."], work)
