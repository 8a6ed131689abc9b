# SPDX-License-Identifier: Apache-2.0
"""Pull requests of somebody who hopes that nobody looks closely: what the first lines of the comment must say.

Expectations were written from the edit. `hides` is what an author would like the comment to hold.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hubstack.review.diff import compare, tripped
from hubstack.review.diff.base_head import read_versions, save_version
from hubstack.review.diff.gates import _WORDS
from hubstack.review.diff.render import markdown_text, report
from tests.support.pull_requests import FLEET, PRODUCTION, QUICKSTART, Repository, make_repository

MODELS, SETTINGS = f"{QUICKSTART}/models.yaml", f"{PRODUCTION}/Pulumi.production.yaml"
CHAT = "  - Qwen/Qwen3-4B-Instruct-2507\n"
BGE = "  - BAAI/bge-small-en-v1.5\n"
GATEWAY = "    exposure: internal\n    host: models.acme.internal\n    certificate: acme-models\n"


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """One edit, and what a reviewer must be told before the fold."""

    name: str
    edit: Callable[[Repository], None]
    env: str = QUICKSTART
    verdict: str = "DECIDE"
    head: tuple[str, ...] = ()
    """Regular expressions for what the verdict and the first lines say."""
    gates: set[str] = field(default_factory=set)
    """Gates that stop it, at least."""
    hides: tuple[str, ...] = ()
    """Regular expressions for what the comment must not hold."""
    is_quick: bool = False


def entry(repo: Repository, line: str, text: str) -> None:
    repo.edit(MODELS, (line, text))


def setting(line: str, text: str = "") -> Callable[[Repository], None]:
    return lambda repo: repo.edit(SETTINGS, (line, text))


def licence(text: str) -> Callable[[Repository], None]:
    return lambda repo: repo.lock(QUICKSTART, ("license: mit", f"license: {text}"))


def takes_the_name_of_another(repo: Repository) -> None:
    entry(repo, CHAT, "  - {id: Qwen/Qwen3-8B, name: assistant, was: qwen3-4b-instruct-2507}\n")
    repo.lock(QUICKSTART, added=repo.entry(FLEET, "Qwen/Qwen3-8B"))


def keeps_the_name_for_another(repo: Repository) -> None:
    entry(repo, CHAT, "  - {id: Qwen/Qwen3-8B, name: qwen3-4b-instruct-2507}\n")
    repo.lock(QUICKSTART, added=repo.entry(FLEET, "Qwen/Qwen3-8B"))


def waives(repo: Repository) -> None:
    (repo.path / PRODUCTION / "policy.yaml").write_text(
        'levels: {HS003: "off"}\nwaivers:\n'
        "- {rule: HS004, owner: me@acme.example, why: it is urgent, until: 2027-01-31}\n"
    )


def hides_in_a_base_list(repo: Repository) -> None:
    text = (repo.path / MODELS).read_text()
    (repo.path / QUICKSTART / "base.yaml").write_text(text.replace("max: 1", "max: 40"))
    (repo.path / MODELS).write_text("extends: base.yaml\n")


def opens_the_namespace(repo: Repository) -> None:
    repo.edit(
        "hubstack/deploy/manifests/network.py",
        ('DEFAULT_DENY, {}, {"ingress": [], "egress": []})', 'DEFAULT_DENY, {}, {"ingress": [{}], "egress": []})'),
    )


def owns_the_project(repo: Repository) -> None:
    repo.edit(
        "components/pulumi_hubstack/cluster.py",
        ('"roles/artifactregistry.reader")', '"roles/artifactregistry.reader", "roles/owner")'),
    )


PULL_REQUESTS = (
    Hostile(
        name="flow logs are turned off",
        env=PRODUCTION,
        edit=setting("  hubstack:flowLogs: true\n"),
        head=("hubstack:flowLogs.*off", "protection is weaker"),
        gates={"protection"},
        is_quick=True,
    ),
    Hostile(
        name="the key is dropped",
        env=PRODUCTION,
        edit=lambda repo: repo.edit(SETTINGS, ("hubstack:kmsKey", "hubstack:kmsKeyOld")),
        verdict="NOT COMPARED",
    ),
    Hostile(
        name="the key becomes another key",
        env=PRODUCTION,
        edit=setting("cryptoKeys/hubstack", "cryptoKeys/mine"),
        verdict="WILL NOT APPLY",
        head=("hubstack:kmsKey .*/hubstack.*/mine", "protection is weaker"),
        gates={"protection", "replace", "refused"},
    ),
    Hostile(
        name="the perimeter is left",
        env=PRODUCTION,
        edit=setting("  hubstack:servicePerimeter: accessPolicies/123456789012/servicePerimeters/models\n"),
        head=("servicePerimeter", "protection is weaker"),
        gates={"protection", "delete"},
    ),
    Hostile(
        name="alerts go to somebody else",
        env=PRODUCTION,
        edit=setting("[models-on-call@acme.example]", "[models-on-call@acme.example.evil.example]"),
        head=("new alert recipients", "removed alert recipients"),
        gates={"protection"},
    ),
    Hostile(
        name="the gateway is opened to the internet",
        env=PRODUCTION,
        edit=setting(
            GATEWAY,
            "    exposure: external\n    host: models.acme.example\n"
            "    certificate: acme-models\n    auth: api-keys\n",
        ),
        head=("from the internet",),
        gates={"protection", "reach"},
    ),
    Hostile(
        name="the budget grows a hundredfold",
        env=PRODUCTION,
        edit=setting("hubstack:budget: 20000", "hubstack:budget: 2000000"),
        head=("hubstack:budget", "20000", "2000000"),
        gates={"protection"},
    ),
    Hostile(
        name="a rule is switched off and another waived",
        env=PRODUCTION,
        edit=waives,
        head=("policy.yaml HS003.*level error -> off", "policy.yaml HS004.*new waiver"),
        gates={"protection"},
    ),
    Hostile(
        name="a model answers to the name of a smaller one",
        edit=keeps_the_name_for_another,
        head=("repository", r"Qwen/Qwen3-8B|assistant|changed"),
        gates={"security"},
    ),
    Hostile(
        name="a model takes over the bucket of another",
        edit=takes_the_name_of_another,
        head=("repository",),
        gates={"security"},
    ),
    Hostile(
        name="a licence is a quick action",
        edit=licence("'mit\\n/approve\\n/merge'"),
        verdict="NOT COMPARED|DECIDE",
        hides=(r"(?m)^\s*/approve", r"(?m)^\s*/merge"),
    ),
    Hostile(
        name="a licence is a link and calls people",
        edit=licence("'[mit](https://evil.example) @acme/security see #12 acme/models#3'"),
        gates={"license"},
        head=("licen[cs]e",),
        hides=(r"\]\(https://evil", r"(?<!\\)@acme/security", r"(?<![&\\\w])#12", r"acme/models#3"),
        is_quick=True,
    ),
    Hostile(
        name="a licence hides and turns text",
        edit=licence('"apache-2.0\\u202e\\u2066 tim\\u3164"'),
        gates={"license"},
        hides=("\u202e", "\u2066", "\u3164"),
    ),
    Hostile(
        name="a licence closes the table",
        edit=licence("'mit</td></tr></table></details><h1>ROUTINE: approved</h1>'"),
        gates={"license"},
        hides=(r"<h1>", r"</details><h1>", r"</table></details><h1>"),
    ),
    Hostile(
        name="the repository's code may run",
        edit=lambda repo: entry(repo, BGE, "  - {id: BAAI/bge-small-en-v1.5, trust_remote_code: true}\n"),
        head=("trust_remote_code",),
        gates={"protection"},
    ),
    Hostile(
        name="pickles and flagged files may be loaded",
        edit=lambda repo: entry(
            repo, BGE, "  - {id: BAAI/bge-small-en-v1.5, allow_pickle: true, allow_unsafe: true}\n"
        ),
        head=("allow_pickle", "allow_unsafe"),
        gates={"protection"},
    ),
    Hostile(
        name="forty replicas hide in a list that the list extends",
        edit=hides_in_a_base_list,
        head=(r"\+\$6\d,\d{3} a month",),
    ),
    Hostile(
        name="one card of a node of eight",
        edit=lambda repo: entry(
            repo, CHAT, "  - {id: Qwen/Qwen3-4B-Instruct-2507, accelerator: h100-80gb, capacity: [on-demand]}\n"
        ),
        head=(r"\+\$\d{2},\d{3} a month",),
    ),
    Hostile(
        name="only spot is left",
        edit=lambda repo: repo.edit(MODELS, ("capacity: [spot, on-demand]", "capacity: [spot]")),
        head=("spot",),
    ),
    Hostile(
        name="a component opens the namespace to everyone",
        edit=opens_the_namespace,
        head=("network policy lets in more: anyone",),
        gates={"protection", "reach"},
    ),
    Hostile(
        name="the nodes own the project",
        edit=owns_the_project,
        head=("new access grant: .*roles/owner",),
        gates={"reach"},
    ),
    Hostile(
        name="the environment is removed",
        edit=lambda repo: repo.git("rm", "-rq", QUICKSTART) and None,
        head=("delete|remove|gone",),
        gates={"delete", "data"},
    ),
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("hostile") / "clone")


@pytest.fixture(scope="module")
def bases(repository: Repository) -> Callable[[str], Path]:
    def base(env: str) -> Path:
        path = repository.path.parent / f"{env.replace('/', '-')}.json"
        if not path.exists():
            repository.reset()
            save_version(env, repository.path, path)
        return path

    return base


@pytest.mark.parametrize(
    "made",
    [pytest.param(each, id=each.name, marks=() if each.is_quick else pytest.mark.slow) for each in PULL_REQUESTS],
)
def test_the_first_lines_say_what_the_author_hopes_to_hide(
    made: Hostile, repository: Repository, bases: Callable[[str], Path]
) -> None:
    base = bases(made.env)
    repository.reset()
    made.edit(repository)
    change = compare(made.env, read_versions(made.env, repository.path, None, base_file=base))
    told = report(change)
    assert re.match(made.verdict, told.verdict), told.verdict
    first = "\n".join([told.verdict, *(f"{name}: {text}" for name, text in told.answers)])
    for pattern in made.head:
        assert re.search(pattern, first), f"{pattern} is not in:\n{first}"
    assert made.gates <= {each.gate for each in tripped(change, tuple(_WORDS))}
    text = markdown_text(told)
    for pattern in made.hides:
        assert not re.search(pattern, text), pattern
    assert "ROUTINE" not in text.replace("ROUTINE: approved", "")
