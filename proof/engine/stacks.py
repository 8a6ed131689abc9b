# SPDX-License-Identifier: Apache-2.0
"""An environment of the project under the engine, before a control plane.

Owns what the two know of each other: the address that the cluster's resource answers with, the credential that
GKE's plug-in prints, the charts that its releases name.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hubstack.inputs.environment import Environment
from proof.engine.charts import ChartRepository
from proof.engine.engine import ROOT, Engine
from proof.sandbox import Sandbox


def engine_of(environment: Environment, folder: Path, programs: Path, sandbox: Sandbox | None = None) -> Engine:
    """Return an engine with a copy of an environment and a stack of its name, not brought up.

    Args:
        environment: of this project.
        folder: new.
        programs: of the engine.
        sandbox: where its cluster is; None for an environment without one.
    """
    stack = environment.stack
    if sandbox is None:
        engine = Engine(folder, programs, stack)
    else:
        engine = Engine(
            folder,
            programs,
            stack,
            host=sandbox.plane.url.removeprefix("https://"),
            authority=sandbox.plane.certificates.authority,
            credential=_credential(sandbox),
        )
    held = environment.config_file.parent.relative_to(ROOT)
    engine.copy([str(held)])
    settings = engine.project / "stacks" / f"Pulumi.{stack}.yaml"
    if not settings.exists():
        shutil.copy(environment.config_file, settings)
    engine.init()
    return engine


def use_charts(engine: Engine, charts: ChartRepository, resources: Iterable[dict[str, Any]]) -> None:
    """Provide Helm with exactly the charts that a graph's releases name."""
    for each in resources:
        if each["type"] == "kubernetes:helm.sh/v3:Release":
            charts.add(each["inputs"]["chart"], each["inputs"]["version"], engine.project)
    engine.environment |= {"HTTPS_PROXY": charts.proxy, "HTTP_PROXY": charts.proxy}


def _credential(sandbox: Sandbox) -> str:
    """Return the output of the stand-in for `gke-gcloud-auth-plugin`: an administrator's certificate."""
    certificate, key = sandbox.plane.certificates.issue("pulumi", "pulumi", "system:masters")
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    return json.dumps(
        {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": status}
    )
