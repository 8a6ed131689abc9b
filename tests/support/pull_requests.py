# SPDX-License-Identifier: Apache-2.0
"""Twenty-odd pull requests on a copy of the project: each a real edit, and what a report of it must announce.

Expectations were written from the edit and the providers' documents, not from the output: `deleted`, `replaced` and
`created` name every resource, no more and no less.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hubstack.hub.lock_hash import CONTENT, content_of

PROJECT = Path(__file__).resolve().parents[2]
QUICKSTART, PRODUCTION, FLEET = "examples/quickstart", "examples/production", "examples/fleet"
CHAT, EMBEDDING, BGE = "qwen3-4b-instruct-2507", "qwen3-embedding-0-6b", "bge-small-en-v1-5"
SPOT, ON_DEMAND = "g2-standard-4-spot-16bc01-nodes", "g2-standard-4-on-demand-fe7848-nodes"
CLASS = "class-g2-standard-4-spot-on-demand"


@dataclass(frozen=True)
class Repository:
    """A scratch repository with the project in it, committed on `main`."""

    path: Path

    def git(self, *arguments: str) -> str:
        names = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *names, *arguments], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout

    def reset(self) -> None:
        self.git("reset", "--hard", "--quiet", "main")
        self.git("clean", "-fdq")

    def edit(self, name: str, *pairs: tuple[str, str]) -> None:
        """Replace texts of a file, each of which must be there."""
        path = self.path / name
        text = path.read_text()
        for old, new in pairs:
            assert old in text, f"{name} has no {old!r}"
            text = text.replace(old, new)
        path.write_text(text)

    def entry(self, example: str, repo_id: str) -> str:
        """Return the entry of a model in an example's lock."""
        text = (self.path / example / "models.lock.yaml").read_text()
        found = re.search(rf"^- id: {re.escape(repo_id)}\n(?:(?:  |\n).*\n)*", text, re.MULTILINE)
        assert found
        return found[0]

    def lock(self, example: str, *pairs: tuple[str, str], added: str = "") -> None:
        """Replace texts of an example's lock and add entries, as `hubstack lock` writes it: in order, sealed."""
        name = f"{example}/models.lock.yaml"
        self.edit(name, *pairs)
        held = yaml.safe_load((self.path / name).read_text())
        held["models"] += yaml.safe_load(added) or []
        held["models"].sort(key=lambda each: (each["id"].lower(), each["id"], each["revision"]))
        for entry in held["models"]:
            entry[CONTENT] = content_of(entry)
        (self.path / name).write_text(yaml.safe_dump(held, sort_keys=False))


def make_repository(path: Path) -> Repository:
    """Copy what the project's program needs, and commit it on `main`."""
    path.mkdir()
    for name in ("Pulumi.yaml", "__main__.py", ".gitignore"):
        shutil.copy(PROJECT / name, path / name)
    for name in ("hubstack", "components", "examples", "stacks", "policy"):
        shutil.copytree(PROJECT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    repository = Repository(path)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "base")
    return repository


def served(key: str) -> set[str]:
    """The resources that serve a model, and let it rest."""
    parts = ("account", "service", "deployment", "budget", "route", "scaler", "wake")
    return {f"{key}-{what}" for what in parts}


def loaded(key: str) -> set[str]:
    """The resources that load its weights."""
    return {f"{key}-loader-{what}" for what in ("account", "script", "job")}


def stored(key: str) -> set[str]:
    """Its bucket and who may read and write it."""
    grants = ("loader-bucketViewer", "loader-objectUser", "server-bucketViewer", "server-objectViewer")
    return {f"{key}-weights-bucket", *(f"{key}-weights-{grant}" for grant in grants)}


def model(key: str) -> set[str]:
    return served(key) | loaded(key) | stored(key) | {f"{key}-dashboard"}


def objects(*keys: str) -> set[str]:
    """What of the models lives in the cluster."""
    return {name for key in keys for name in served(key) | loaded(key)}


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """One edit and what must be announced."""

    name: str
    edit: Callable[[Repository], None]
    env: str = QUICKSTART
    created: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    models: dict[str, str] = field(default_factory=dict)
    """Key to what happens to it."""
    gates: set[str] = field(default_factory=set)
    """Gates that stop it, of all but `change`, `warning`, `unpriced` and limits."""
    is_free: bool = False
    """Whether the bill stays as it is."""
    says: tuple[str, ...] = ()
    """Words that the comment holds."""


MODELS, CONFIG = f"{QUICKSTART}/models.yaml", f"{QUICKSTART}/Pulumi.quickstart.yaml"
ONE_ZONE = "[{kind: spot, zones: [us-central1-a]}, {kind: on-demand, zones: [us-central1-a]}]"
BGE_LINE = "  - BAAI/bge-small-en-v1.5\n"
CHAT_LINE = "  - Qwen/Qwen3-4B-Instruct-2507\n"


def add_model(repo: Repository) -> None:
    repo.edit(MODELS, (BGE_LINE, f"{BGE_LINE}  - Qwen/Qwen3-8B\n"))
    repo.lock(QUICKSTART, added=repo.entry(FLEET, "Qwen/Qwen3-8B"))


def add_gated(repo: Repository) -> None:
    text = "  - {id: google/gemma-3-27b-it, accelerator: a100-80gb}\n"
    repo.edit(MODELS, (BGE_LINE, BGE_LINE + text))
    repo.lock(QUICKSTART, added=repo.entry(FLEET, "google/gemma-3-27b-it"))


def reorder(repo: Repository) -> None:
    repo.edit(MODELS, (CHAT_LINE, ""), (BGE_LINE, BGE_LINE + CHAT_LINE))


def upgrade(repo: Repository, *more: tuple[str, str]) -> None:
    """Move the chat model to another commit, as `hubstack lock --upgrade` would write it."""
    entry = repo.entry(QUICKSTART, "Qwen/Qwen3-4B-Instruct-2507")
    commit = re.search(r"commit: (\w{40})", entry)
    assert commit
    changed = entry.replace(commit[1], "0123456789abcdef0123456789abcdef01234567")
    for old, new in more:
        assert old in changed
        changed = changed.replace(old, new)
    repo.lock(QUICKSTART, (entry, changed))


def upgrade_licence(repo: Repository) -> None:
    upgrade(repo, ("license: apache-2.0", "license: other\n  license_name: acme-research"))


def upgrade_code(repo: Repository) -> None:
    upgrade(repo, ("license: apache-2.0", "license: apache-2.0\n  custom_code: true"))


def become_gated(repo: Repository) -> None:
    repo.lock(QUICKSTART, ("  license: mit\n", "  license: mit\n  gated: manual\n"))


def protect(repo: Repository) -> None:
    repo.edit(CONFIG, ("hubstack:deletionProtection: false", "hubstack:deletionProtection: true"))


def region(repo: Repository) -> None:
    repo.edit(CONFIG, ("us-central1", "us-east4"))


def price(repo: Repository) -> None:
    """Raise the price of the nodes in the catalogue."""
    path = repo.path / "hubstack" / "catalog" / "prices.yaml"
    text = path.read_text()
    assert text.count("0.70683"), "the catalogue has another price of g2-standard-4"
    path.write_text(text.replace("0.70683", "0.80683"))


def script(repo: Repository) -> None:
    """Change a line of the loader: a program change that no list shows."""
    path = repo.path / "hubstack" / "deploy" / "weights_job" / "load_weights.py"
    path.write_text(path.read_text() + "# one more line\n")


def flags(repo: Repository) -> None:
    """Change what the program registers: a label of the network policy's neighbours."""
    repo.edit("components/pulumi_hubstack/network.py", ('routing_mode="REGIONAL"', 'routing_mode="GLOBAL"'))


RELOADED = {f"{CHAT}-loader-script", f"{CHAT}-loader-job"}
SERVED_ANEW = {
    f"{CHAT}-{what}" for what in ("deployment", "service", "budget", "dashboard", "route", "scaler", "wake")
}
"""All carry the commit in an annotation."""
BOARD = "observability-stack"
NETWORK = {"network-subnet", "network-router", "network-nat"}
APIS = ("cloudresourcemanager", "compute", "container", "iam", "logging", "monitoring", "secretmanager", "storage")
CLOSING = {
    "default-deny",
    "jobs-egress",
    "jobs-to-storage",
    "loaders-to-hub",
    "same-namespace",
    "servers-egress",
    "servers-to-storage",
}
"""Network policies of the models' namespace."""
IN_NAMESPACE = CLOSING | {"autoscaling-authentication", "observability-servers"}
CLUSTER = IN_NAMESPACE | {
    "cluster-gke",
    "cluster-system",
    "cluster",
    "models",
    CLASS,
    SPOT,
    ON_DEMAND,
    "autoscaling-interceptor",
    "autoscaling-keda",
    "autoscaling-namespace",
    "autoscaling-interceptor-callers",
    "autoscaling-interceptor-to-servers",
    "autoscaling-controllers",
    "autoscaling-operator-to-metrics",
    "autoscaling-operator-identity",
}
KEYS = (CHAT, EMBEDDING, BGE)
NAMING_IT = {
    BOARD,
    "observability-load-failed",
    "observability-pending",
    "observability-slo-errors-tei-1",
    "observability-slo-errors-vllm-1",
    "observability-slo-latency-tei-2-876s-95",
    "observability-slo-latency-vllm-2-5s-95",
    *(f"{key}-dashboard" for key in KEYS),
}
"""Dashboards and alerts name the namespace."""
PULL_REQUESTS = (
    PullRequest(
        name="adds a model",
        edit=add_model,
        models={"qwen3-8b": "added"},
        created=model("qwen3-8b"),
        updated={SPOT, ON_DEMAND, "autoscaling-interceptor", BOARD},
        gates={"license", "reach"},
        says=("qwen3-8b added", "licence apache-2.0"),
    ),
    PullRequest(
        name="removes a model",
        edit=lambda repo: repo.edit(MODELS, (BGE_LINE, "")),
        models={BGE: "removed"},
        deleted=model(BGE),
        updated={SPOT, ON_DEMAND, BOARD},
        gates={"delete", "data", "remove"},
        says=("no longer served",),
    ),
    PullRequest(
        name="renames a model",
        edit=lambda repo: repo.edit(MODELS, (BGE_LINE, "  - {id: BAAI/bge-small-en-v1.5, name: texts}\n")),
        models={"texts": "renamed"},
        created=model("texts"),
        deleted=model(BGE),
        updated={BOARD},
        gates={"delete", "data", "rename", "reach"},
        is_free=True,
        says=("a new name makes a new model", f"was: {BGE}"),
    ),
    PullRequest(
        name="renames a model that says what it was",
        edit=lambda repo: repo.edit(
            MODELS, (CHAT_LINE, f"  - {{id: Qwen/Qwen3-4B-Instruct-2507, name: talk, was: {CHAT}}}\n")
        ),
        models={"talk": "renamed"},
        updated={"talk-deployment", "talk-dashboard"},
        gates={"rename"},
        is_free=True,
        says=("ROUTINE", f"{CHAT} -&gt; talk renamed", "nothing is replaced"),
    ),
    PullRequest(name="reorders the list", edit=reorder, is_free=True, says=("NO CHANGE",)),
    PullRequest(
        name="asks for a longer context",
        edit=lambda repo: repo.edit(MODELS, (CHAT_LINE, "  - {id: Qwen/Qwen3-4B-Instruct-2507, context: 16384}\n")),
        models={CHAT: "changed"},
        updated={f"{CHAT}-deployment"},
        is_free=True,
        says=("8,192 | 16,384",),
    ),
    PullRequest(
        name="asks for more replicas",
        edit=lambda repo: repo.edit(MODELS, ("replicas: {min: 0, max: 1}", "replicas: {min: 0, max: 3}")),
        models=dict.fromkeys(KEYS, "changed"),
        updated={SPOT, ON_DEMAND, *(f"{key}-scaler" for key in KEYS)},
        says=("replicas 0-1 -&gt; 0-3", "l4 spot in us-central1 3 -&gt; 9"),
    ),
    PullRequest(
        name="buys in another order",
        edit=lambda repo: repo.edit(MODELS, ("[spot, on-demand]", "[on-demand, spot]")),
        models=dict.fromkeys(KEYS, "changed"),
        is_free=True,
        created={
            "g2-standard-4-spot-1df499-nodes",
            "g2-standard-4-on-demand-78d777-nodes",
            "class-g2-standard-4-on-demand-spot",
        },
        deleted={SPOT, ON_DEMAND, CLASS},
        updated={f"{key}-deployment" for key in KEYS},
        gates={"delete"},
    ),
    PullRequest(
        name="takes another accelerator",
        edit=lambda repo: repo.edit(
            MODELS, (CHAT_LINE, "  - {id: Qwen/Qwen3-4B-Instruct-2507, accelerator: a100-40gb}\n")
        ),
        models={CHAT: "changed"},
        gates=set(),
        updated={f"{CHAT}-deployment", f"{CHAT}-dashboard", SPOT, ON_DEMAND},
        created={
            "a2-highgpu-1g-spot-d2aedc-nodes",
            "a2-highgpu-1g-on-demand-2dc484-nodes",
            "class-a2-highgpu-1g-spot-on-demand",
        },
        says=("1 x l4 (g2-standard-4) -&gt; 1 x a100-40gb (a2-highgpu-1g)",),
    ),
    PullRequest(
        name="upgrades a commit",
        edit=upgrade,
        models={CHAT: "changed"},
        is_free=True,
        replaced=RELOADED,
        updated=SERVED_ANEW,
        gates={"replace"},
        says=("0123456789ab",),
    ),
    PullRequest(
        name="upgrades to a commit under another licence",
        edit=upgrade_licence,
        models={CHAT: "changed"},
        replaced=RELOADED,
        updated=SERVED_ANEW,
        gates={"replace", "license"},
        is_free=True,
        says=("licence apache-2.0 -&gt; other (acme-research)",),
    ),
    PullRequest(
        name="upgrades to a commit with custom code",
        edit=upgrade_code,
        models={CHAT: "changed"},
        replaced=RELOADED,
        updated=SERVED_ANEW,
        gates={"replace", "code"},
        is_free=True,
        says=("custom code added",),
    ),
    PullRequest(
        name="moves to another region",
        edit=region,
        models=dict.fromkeys(KEYS, "changed"),
        replaced=NETWORK | CLUSTER | objects(*KEYS) | {name for key in KEYS for name in stored(key)},
        updated={"google", BOARD},
        gates={"replace", "data"},
        says=("location: us-central1 -&gt; us-east4", "region us-central1 -&gt; us-east4"),
    ),
    PullRequest(
        name="names zones",
        edit=lambda repo: repo.edit(MODELS, ("[spot, on-demand]", ONE_ZONE)),
        models=dict.fromkeys(KEYS, "changed"),
        is_free=True,
        created={
            "g2-standard-4-spot-8cd018-nodes",
            "g2-standard-4-on-demand-2d94e8-nodes",
            "class-g2-standard-4-spot-on-demand-f12f",
        },
        deleted={SPOT, ON_DEMAND, CLASS},
        updated={f"{key}-deployment" for key in KEYS},
        gates={"delete"},
    ),
    PullRequest(
        name="sets a budget",
        edit=lambda repo: repo.edit(CONFIG, ("config:\n", "config:\n  hubstack:budget: 5000\n")),
        is_free=True,
        says=("cost unchanged",),
    ),
    PullRequest(name="protects the cluster", edit=protect, updated={"cluster-gke"}, is_free=True),
    PullRequest(
        name="a model becomes gated",
        edit=become_gated,
        models={BGE: "changed"},
        is_free=True,
        created={"hub-token-secret", f"hub-token-{BGE}", f"{BGE}-loader-token"},
        replaced={f"{BGE}-loader-job"},
        updated={"cluster-gke"},
        gates={"replace", "gated", "reach"},
        says=("gated no -&gt; manual",),
    ),
    PullRequest(
        name="adds a gated model",
        edit=add_gated,
        models={"gemma-3-27b-it": "added"},
        created=model("gemma-3-27b-it")
        | {"hub-token-secret", "hub-token-gemma-3-27b-it", "gemma-3-27b-it-loader-token"}
        | {
            "a2-ultragpu-1g-spot-d9ecb2-nodes",
            "a2-ultragpu-1g-on-demand-a40f9e-nodes",
            "class-a2-ultragpu-1g-spot-on-demand",
        },
        updated={"cluster-gke", "autoscaling-interceptor", BOARD},
        gates={"license", "gated", "reach"},
        says=("gated (manual)", "licence gemma"),
    ),
    PullRequest(
        name="the price row of its nodes changes",
        edit=price,
        says=("price of g2-standard-4 on-demand 0.70683 USD/h", "0.80683"),
    ),
    PullRequest(
        name="another namespace",
        edit=lambda repo: repo.edit(CONFIG, ("config:\n", "config:\n  hubstack:namespace: inference\n")),
        models=dict.fromkeys(KEYS, "changed"),
        is_free=True,
        updated={*NAMING_IT, "autoscaling-interceptor-to-servers"},
        replaced={"models"}
        | IN_NAMESPACE
        | objects(*KEYS)
        | {name for key in KEYS for name in stored(key) if not name.endswith("bucket")},
        gates={"replace", "data", "reach", "protection"},  # the interceptor reaches another namespace
        says=("metadata.namespace: models -&gt; inference",),
    ),
    PullRequest(
        name="another engine",
        edit=lambda repo: repo.edit(
            MODELS, ("  - Qwen/Qwen3-Embedding-0.6B\n", "  - {id: Qwen/Qwen3-Embedding-0.6B, engine: vllm}\n")
        ),
        models={EMBEDDING: "changed"},
        updated={f"{EMBEDDING}-{what}" for what in ("deployment", "dashboard", "route", "scaler")},
        gates={"engine"},
        is_free=True,
        says=("tei", "vllm"),
    ),
    PullRequest(
        name="the loader's script changes",
        edit=script,
        is_free=True,
        gates={"replace"},
        replaced={f"{key}-loader-{what}" for key in KEYS for what in ("script", "job")},
    ),
    PullRequest(
        name="the program registers another network",
        edit=flags,
        updated={"network-vpc"},
        is_free=True,
        says=("REGIONAL -&gt; GLOBAL",),
    ),
    PullRequest(
        name="another project",
        edit=lambda repo: repo.edit(CONFIG, ("acme-models-quickstart", "acme-models-elsewhere")),
        is_free=True,
        gates={"replace", "data", "protection", "reach"},
        replaced=NETWORK
        | CLUSTER
        | objects(*KEYS)
        | {name for key in KEYS for name in stored(key)}
        | {"network-vpc", "cluster-nodes", "cluster-nodes-defaultNodeServiceAccount", "cluster-nodes-reader"}
        | {f"api-{name}" for name in APIS}
        | NAMING_IT
        | {"autoscaling-monitoring", "observability-preempted"},
        updated={"google"},
        says=("acme-models-elsewhere",),
    ),
    PullRequest(
        name="gives a canary more requests",
        env=PRODUCTION,
        edit=lambda repo: repo.edit(f"{PRODUCTION}/models.yaml", ("weight: 10", "weight: 50")),
        models={"support-canary": "changed"},
        is_free=True,
        updated={"gateway-support-route"},
        says=("50 % of the requests",),
    ),
)
