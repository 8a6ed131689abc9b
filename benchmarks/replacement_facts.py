# SPDX-License-Identifier: Apache-2.0
"""Which arguments replace a Google resource, read from the source of the provider that pulumi-gcp bridges.

    git clone https://github.com/hashicorp/terraform-provider-google-beta
    python -m benchmarks.replacement_facts PATH_OF_ITS_GIT_DIR COMMIT --write

Reads Go text: schema literals, and functions that return one. Terraform's names become Pulumi's by looking each up in
the installed SDK, so a path that the SDK does not have fails here. `ForceNewIf` functions are in RULES, by hand.
"""

import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).resolve().parents[1] / "hubstack" / "review" / "diff" / "replacement_google.yaml"
FILES = {
    "gcp:accesscontextmanager/servicePerimeterResource:ServicePerimeterResource": "accesscontextmanager/resource_access_context_manager_service_perimeter_resource.go",
    "gcp:artifactregistry/repository:Repository": "artifactregistry/resource_artifact_registry_repository.go",
    "gcp:billing/budget:Budget": "billingbudgets/resource_billing_budget.go",
    "gcp:certificatemanager/certificate:Certificate": "certificatemanager/resource_certificate_manager_certificate.go",
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": "certificatemanager/resource_certificate_manager_dns_authorization.go",
    "gcp:cloudrunv2/job:Job": "cloudrunv2/resource_cloud_run_v2_job.go",
    "gcp:cloudrunv2/service:Service": "cloudrunv2/resource_cloud_run_v2_service.go",
    "gcp:compute/address:Address": "compute/resource_compute_address.go",
    "gcp:compute/globalAddress:GlobalAddress": "compute/resource_compute_global_address.go",
    "gcp:compute/network:Network": "compute/resource_compute_network.go",
    "gcp:compute/resourcePolicy:ResourcePolicy": "compute/resource_compute_resource_policy.go",
    "gcp:compute/router:Router": "compute/resource_compute_router.go",
    "gcp:compute/routerNat:RouterNat": "compute/resource_compute_router_nat.go",
    "gcp:compute/subnetwork:Subnetwork": "compute/resource_compute_subnetwork.go",
    "gcp:container/cluster:Cluster": "container/resource_container_cluster.go",
    "gcp:container/nodePool:NodePool": "container/resource_container_node_pool.go",
    "gcp:dns/managedZone:ManagedZone": "dns/resource_dns_managed_zone.go",
    "gcp:dns/recordSet:RecordSet": "dns/resource_dns_record_set.go",
    "gcp:monitoring/alertPolicy:AlertPolicy": "monitoring/resource_monitoring_alert_policy.go",
    "gcp:monitoring/dashboard:Dashboard": "monitoring/resource_monitoring_dashboard.go",
    "gcp:monitoring/notificationChannel:NotificationChannel": "monitoring/resource_monitoring_notification_channel.go",
    "gcp:projects/service:Service": "resourcemanager/resource_google_project_service.go",
    "gcp:projects/serviceIdentity:ServiceIdentity": "resourcemanager/resource_project_service_identity.go",
    "gcp:secretmanager/secret:Secret": "secretmanager/resource_secret_manager_secret.go",
    "gcp:secretmanager/secretVersion:SecretVersion": "secretmanager/resource_secret_manager_secret_version.go",
    "gcp:serviceaccount/account:Account": "resourcemanager/resource_google_service_account.go",
    "gcp:storage/anywhereCache:AnywhereCache": "storage/resource_storage_anywhere_cache.go",
    "gcp:storage/bucket:Bucket": "storage/resource_storage_bucket.go",
    "gcp:storage/bucketObject:BucketObject": "storage/resource_storage_bucket_object.go",
    "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment": "vertexai/resource_vertex_ai_endpoint_with_model_garden_deployment.go",
}
MORE = ("container/node_config.go", "container/resource_container_node_pool.go")
"""Files whose functions are called by other schemas."""
SCHEMA = re.compile(r"map\[string\]\*schema\.Schema\{")


def clean(text: str) -> str:
    """Blank out comments, and string literals that are not plain words."""
    pattern = r'//[^\n]*|/\*.*?\*/|`[^`]*`|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\''

    def keep(found: re.Match[str]) -> str:
        said = found[0]
        if said[0] == '"' and re.fullmatch(r'"[\w./-]*"', said):
            return said
        return '""' if said[0] in "\"`'" else " "

    return re.sub(pattern, keep, text, flags=re.DOTALL)


def inside(text: str, start: int) -> str:
    """Return the text between the brace at `start` and its closing brace."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] in "{(") - (text[at] in "})")
        if depth == 0:
            return text[start + 1 : at]
    raise ValueError("unbalanced")


def entries(body: str) -> Iterator[tuple[str, str]]:
    """Yield the name and value of each top-level entry of a map literal."""
    for found in re.finditer(r'"(\w+)":\s*(&schema\.Schema)?', body):
        before = body[: found.start()]
        if sum(before.count(c) for c in "{(") == sum(before.count(c) for c in "})"):
            rest = body[found.end() :]
            yield found[1], inside(rest, 0) if rest[0] == "{" else f"call {rest.splitlines()[0]}"


def own(body: str) -> str:
    """Return a literal without its nested literals."""
    depth, kept = 0, []
    for char in body:
        depth += char in "{("
        kept.append("" if depth else char)
        depth -= char in "})"
    return "".join(kept)


def called(name: str, text: str) -> str | None:
    """Return the literal that the named function returns."""
    found = re.search(rf"func {name}\([^)]*\) \*schema\.(Schema|Resource) \{{", text)
    if not found:
        return None
    body = inside(text, found.end() - 1)
    start = re.search(r"return &schema\.(Schema|Resource)\{", body)
    return inside(body, start.end() - 1) if start else None


def walk(body: str, text: str, prefix: tuple[str, ...], found: dict[tuple[str, ...], dict[str, Any]]) -> None:
    for name, said in entries(body):
        value = said
        if said.startswith("call "):
            value = called(re.match(r"call (?:\w+\.)?(\w+)", said)[1], text) or ""  # type: ignore[index]
        path, flat = (*prefix, name), own(value)
        default = re.search(r'Default:\s*("[\w./-]*"|\d+|true|false)', flat)
        element = re.search(r"Elem:\s*&schema\.Resource\{", value)
        call = re.search(r"Elem:\s*(\w+)\(\)", value)
        inner = inside(value, element.end() - 1) if element else called(call[1], text) if call else None
        found[path] = {
            "force": bool(re.search(r"ForceNew:\s*true", flat)),
            "input": "Required" in flat or "Optional" in flat,
            "kept": bool(re.search(r"Computed:\s*true", flat)),
            "default": json.loads(default[1]) if default else None,
        }
        if inner and (start := SCHEMA.search(inner)):
            walk(inside(inner, start.end() - 1), text, path, found)


def schema(text: str, more: str) -> dict[tuple[str, ...], dict[str, Any]]:
    resource = re.search(r"func Resource\w+\(\) \*schema\.Resource \{", text)
    assert resource
    # Not what helpers of the file return: a container's environment has a `name` too.
    body = inside(text, resource.end() - 1)
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    # Not the identity's schema and not that of a state upgrade, which stand one level deeper.
    for start in re.finditer(
        r"\n\t\tSchema:\s*(tpgresource\.\w+\(\s*(\w+),\s*)?map\[string\]\*schema\.Schema\{", body
    ):
        if start[2] and (merged := re.search(rf"{start[2]} = map\[string\]\*schema\.Schema\{{", text)):
            walk(inside(text, merged.end() - 1), text + more, (), found)
        walk(inside(body, start.end() - 1), text + more, (), found)
    assert found
    return found


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def pulumi_path(kind: str, path: tuple[str, ...]) -> str | None:
    """Return Pulumi's name of a path, or None if the SDK does not have the argument."""
    _, module, cls = kind.split(":")
    package: Any = importlib.import_module(f"pulumi_gcp.{module.split('/')[0]}")
    args, named = getattr(package, f"{cls}Args"), []
    for part in path:
        if args is None:
            return None
        known = inspect.signature(args.__init__).parameters
        name = next((n for n in (part, f"{part}s", f"{part}es", re.sub("y$", "ies", part)) if n in known), None)
        if name is None:
            return None
        nested = re.search(r"'(?:_\w+\.)?(\w+Args)'", str(known[name].annotation))
        args = getattr(package, nested[1], None) if nested else None
        named.append(camel(name))
    return ".".join(named)


def row(kind: str, text: str, more: str) -> dict[str, Any]:
    found = schema(text, more)
    paths = {p: pulumi_path(kind, p) for p, said in found.items() if said["force"] and said["input"]}
    forced = {p: name for p, name in paths.items() if name}
    for path in paths.keys() - forced.keys():
        sys.stderr.write(f"{kind}: the SDK has no {'.'.join(path)}\n")
    line: dict[str, Any] = {"source": FILES[kind], "replaced_by": sorted(forced.values())}
    if kept := sorted(name for p, name in forced.items() if found[p]["kept"]):
        line["kept"] = kept
    defaults = {name: found[p]["default"] for p, name in forced.items() if found[p]["default"] is not None}
    if defaults:
        line["defaults"] = dict(sorted(defaults.items()))
    taken = [w.lower() for w in ("Project", "Region") if re.search(rf"\btpgresource\.DefaultProvider{w}\b", text)]
    if taken:
        line["from_provider"] = taken
    return line


def source(folder: str, commit: str, name: str) -> str:
    """Return a file of the provider's services as of a commit."""
    path = f"{commit}:google-beta/services/{name}"
    command = ["git", "--git-dir", folder, "show", path]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(arguments: list[str]) -> None:
    folder, commit = arguments[0], arguments[1]

    def read(name: str) -> str:
        return clean(source(folder, commit, name))

    more = "".join(read(name) for name in MORE)
    table = {kind: row(kind, read(name), more) for kind, name in sorted(FILES.items())}
    head = (
        "# Which arguments replace a Google resource. Written by `python -m benchmarks.replacement_facts`; do not edit.\n"
        "# replaced_by: paths of arguments; of a block only its coming and going, its parts are named by themselves.\n"
        "# kept: left out, the provider keeps what is there. defaults: what it takes where they are left out.\n"
        "# from_provider: taken from the provider's own argument where left out.\n"
    )
    data = {"commit": commit, "repository": "hashicorp/terraform-provider-google-beta", "types": table}
    text = head + yaml.safe_dump(data, sort_keys=False, width=110)
    if "--write" in arguments:
        TABLE.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
