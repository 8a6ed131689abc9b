# SPDX-License-Identifier: Apache-2.0
"""The CRDs that hubstack needs: those of public projects at pinned versions, and our schemas of GKE's kinds.

Owns which files come from which module (versions: crds/go.mod). `crds/gke` contains our schemas.
"""

from collections.abc import Iterator
from pathlib import Path

from proof.binaries import HERE, module_folders

FOLDERS = {
    "github.com/kedacore/http-add-on": "config/crd/bases",
    "github.com/kedacore/keda/v2": "config/crd/bases",
    "sigs.k8s.io/gateway-api": "config/crd/standard",
    "sigs.k8s.io/gateway-api-inference-extension": "config/crd/bases",
    "sigs.k8s.io/lws": "config/crd/bases",
    "sigs.k8s.io/secrets-store-csi-driver": "config/crd/bases",
}


def crd_files() -> Iterator[Path]:
    """Yield the files to apply, each with one CRD."""
    modules = module_folders(HERE / "crds")
    for module, folder in FOLDERS.items():
        found = sorted((modules[module] / folder).glob("*.yaml"))
        yield from (path for path in found if "kind: CustomResourceDefinition\n" in path.read_text())
    yield from sorted((HERE / "crds" / "gke").glob("*.yaml"))
