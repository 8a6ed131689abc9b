# SPDX-License-Identifier: Apache-2.0
"""Every example through the edits of a stack's life: exactly what is created, updated, replaced and deleted.

What is expected is stated here, by rules of a model's resources and a table of what else an example has. It is held
against an oracle that shares no code with `hubstack diff` (`oracle.py`), and `hubstack diff` against both.
"""

import re
from collections.abc import Callable

import pytest

from hubstack.files.errors import InputError
from hubstack.kinds import EngineKind, PlatformKind
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.loading import LoadingMethod
from hubstack.review.diff.replacement import load_replacement
from hubstack.review.diff.resources import Action, ResourceChange, compare_resources
from tests.identity.oracle import Outcome, judge, label, outcome, pairs
from tests.identity.sides import ADDED, EDITED, Side, renamed_key, side
from tests.support.golden import EXAMPLES, decode, encode, read_graph

pytestmark = pytest.mark.slow

L4 = {"g2-standard-4-spot-16bc01-nodes", "g2-standard-4-on-demand-fe7848-nodes"}
"""Pools that may grow to more nodes with one more model, or fewer with one less."""
BOARD = "observability-stack"
CALLERS = "same-namespace"
"""It names the ports of all engines in use, and the interceptor where a model may rest."""
TO_SERVERS = "autoscaling-interceptor-to-servers"
"""It names the same ports."""
READERS = {"servers-egress", "servers-to-storage"}
"""The way out to the buckets; they name each model whose weights are on a disk, to leave it out."""


def made(*pool_keys: str) -> set[str]:
    """A pool: its component and its nodes."""
    return {name for key in pool_keys for name in (f"[{key}]", f"{key}-nodes")}


# What else an edit does, beside the resources of its model: example to outcome.
ADDING = {
    "quickstart": outcome(updated={*L4, BOARD, "autoscaling-interceptor"}),  # the longest wait is another
    "fleet": outcome(updated={*L4, BOARD}),
    "production": outcome(
        # Its service level is that of others, and it always runs: it is one more name in those alerts.
        updated={
            *L4,
            BOARD,
            "observability-slo-errors-vllm-1",
            "observability-slo-latency-vllm-2-5s-95",
            "observability-unavailable",
        }
    ),
    "multi-host": outcome(
        created={
            *made("g2-standard-4-on-demand-8fff4f"),
            "class-g2-standard-4-on-demand",
            "observability-slo-errors-tei-1",
            "observability-slo-latency-tei-2-876s-95",
        },
        updated={BOARD, "observability-unavailable", CALLERS, TO_SERVERS},
    ),
    "cloud-run": outcome(),
    "vertex": outcome(),
    "sharded/eu": outcome(updated={*L4, BOARD}),
}
ELSEWHERE = "sharded/us"
"""The cluster that does not take the added model, of which it sees nothing."""
REMOVING = {
    "quickstart": outcome(
        deleted={"observability-slo-errors-vllm-1", "observability-slo-latency-vllm-2-5s-95"},
        updated={*L4, BOARD, "autoscaling-interceptor", CALLERS, TO_SERVERS},
    ),
    "fleet": outcome(
        deleted={
            *made(
                "g4-standard-96-on-demand-5840fa", "g4-standard-96-reservation-a105ce", "g4-standard-96-spot-163787"
            ),
            "class-g4-standard-96-reservation-spot-on-demand-5694",
            "[hyperdisk-ml]",
            "hyperdisk-ml-nodes",
            "hyperdisk-ml-nodes-class",
            "hyperdisk-ml-us-central1-b",
        },
        updated={BOARD, *READERS},
    ),
    "production": outcome(
        updated={
            *L4,
            BOARD,
            "observability-slo-errors-vllm-1",
            "observability-slo-latency-vllm-2-5s-95",
            "observability-unavailable",
        }
    ),
    "multi-host": outcome(
        deleted={
            *made("a3-highgpu-8g-on-demand-43f3a0", "a3-highgpu-8g-spot-778bbd"),
            "class-a3-highgpu-8g-spot-on-demand",
            "autoscaling-interceptor",
            "autoscaling-interceptor-callers",
            TO_SERVERS,
            "observability-preempted",
        },
        updated={BOARD, "observability-pending", CALLERS},
    ),
    "cloud-run": outcome(),
    "sharded/eu": outcome(
        deleted={
            *made("g2-standard-4-on-demand-fe7848", "g2-standard-4-spot-16bc01"),
            "class-g2-standard-4-spot-on-demand",
        },
        updated={BOARD},
    ),
    "sharded/us": outcome(updated={*L4, BOARD}),
}
RENAMING_FOR_GOOD = {
    "quickstart": {BOARD},
    "fleet": {BOARD, "observability-unavailable", *READERS},
    "production": {
        BOARD,
        "observability-unavailable",
        "observability-slo-errors-vllm-0-5",
        "observability-slo-errors-vllm-1",
        "observability-slo-latency-vllm-1s-99",
        "observability-slo-latency-vllm-2-5s-95",
    },
    "multi-host": {BOARD, "observability-unavailable", "observability-pending"},
    "cloud-run": set(),
    "vertex": set(),
}
"""What names models without being one's own: alerts, the stack's dashboard and policies select by the name of the
pods."""


def forms(at: Side, model: ModelPlan) -> set[str]:
    """The resources of one model, with `{}` in the place of its key."""
    match model.platform:
        case PlatformKind.VERTEX:
            return {"[{}]", "{}-deployment"}
        case PlatformKind.CLOUD_RUN:
            return {"[{}]", "{}-service", *_on_run(at, model)} | _stored()
        case PlatformKind.GKE:
            return _served(model) | _loaded(model) | _routed(at.plan, model) | _bucket(at.plan, model)


def _served(model: ModelPlan) -> set[str]:
    parts = {"account", "service", "budget", "dashboard", "group" if model.hosts > 1 else "deployment"}
    parts |= {"peers"} if model.hosts > 1 else set()
    parts |= {"scaler"} if model.scaling else set()
    parts |= {"route", "wake"} if model.scaling and model.scaling.scales_to_zero else set()
    return {"[{}]"} | {f"{{}}-{part}" for part in parts}


def _loaded(model: ModelPlan) -> set[str]:
    found = {"[{}-loader]", "{}-loader-account", "{}-loader-script", "{}-loader-job"}
    found |= {"{}-loader-token", "hub-token-{}"} if model.weights.needs_token else set()
    if model.loading.method is LoadingMethod.HYPERDISK_ML:
        found |= {"[{}-disk]", "{}-disk-source", "{}-disk-claim"}
    return found | {f"{{}}-weights-cache-{zone}" for zone in model.loading.cache_zones}


def _routed(plan: Plan, model: ModelPlan) -> set[str]:
    if plan.gateway is None:
        return set()
    found = set() if model.canary_of else {"gateway-{}-route"}
    if not (model.scaling and model.scaling.scales_to_zero):
        found |= {"gateway-{}-backend", "gateway-{}-health"}
    primary = next(each for each in plan.models if each.key == (model.canary_of or model.key))
    if primary.replicas.min > 0 and primary.replicas.max > 1:
        parts = ("account", "role", "binding", "config", "service", "deployment")
        found |= {"gateway-{}-pool", *(f"gateway-{{}}-picker-{part}" for part in parts)}
    return found


def _bucket(plan: Plan, model: ModelPlan) -> set[str]:
    if model.canary_of:
        return set()
    return _stored(*(["canary-"] if any(each.canary_of == model.key for each in plan.models) else []))


def _stored(*more: str) -> set[str]:
    grants = ("loader-bucketViewer", "loader-objectUser", "server-bucketViewer", "server-objectViewer")
    return {"[{}-weights]", "{}-weights-bucket"} | {f"{{}}-weights-{of}{to}" for of in ("", *more) for to in grants}


def _on_run(at: Side, model: ModelPlan) -> set[str]:
    """Two accounts, the callers' grant, and the load, which a hash of its content names."""
    found = {"[{}-accounts]", "{}-accounts-server", "{}-accounts-loader", "{}-invoker-f62666", "[{}-loader]"}
    return found | {f"{{}}-loader-{digest(at, model.key)}{part}" for part in ("", *(f"-{each}" for each in FILES))}


FILES = ("load_weights", "manifest", "requirements")


def digest(at: Side, key: str) -> str:
    (found,) = {
        each["name"].removeprefix(f"{key}-loader-")
        for each in at.resources.values()
        if each["type"] == "gcp:cloudrunv2/job:Job" and each["name"].startswith(f"{key}-loader-")
    }
    return found


def owned(at: Side, *keys: str) -> set[str]:
    """The labels of the models' resources."""
    return {form.format(key) for key in keys for form in forms(at, at.model(key))}


def with_canary(at: Side, key: str) -> list[str]:
    return [model.key for model in at.plan.models if key in {model.key, model.canary_of}]


def servers(at: Side, *keys: str) -> set[str]:
    """What runs the models' engines."""
    found: set[str] = set()
    for model in (at.model(key) for key in keys):
        on_gke = "group" if model.hosts > 1 else "deployment"
        found |= {f"{model.key}-{'service' if model.platform is PlatformKind.CLOUD_RUN else on_gke}"}
    return found


def together(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(
        created=one.created | other.created,
        deleted=one.deleted | other.deleted,
        replaced=one.replaced | other.replaced,
        updated=one.updated | other.updated,
    )


def added(example: str) -> Outcome:
    if example == ELSEWHERE:
        return outcome()
    return together(outcome(created=owned(side(example, "add"), ADDED)), ADDING[example])


def removed(example: str) -> Outcome:
    base = side(example, "base")
    gone = owned(base, *with_canary(base, EDITED[example]))
    return together(outcome(deleted=gone), REMOVING[example])


def another_context(example: str) -> Outcome:
    """The server's arguments, and its canary's."""
    base = side(example, "base")
    if example in {"vertex", "sharded/eu"}:
        return outcome()  # Model Garden takes no context; TEI's least batch of tokens holds both
    return outcome(updated=servers(base, *with_canary(base, EDITED[example])))


def another_commit(example: str) -> Outcome:
    """What names the commit is updated, the load is made anew beside the old one, and the old folder collected."""
    base, after, key = side(example, "base"), side(example, "commit"), EDITED[example]
    if example == "vertex":
        return outcome()  # Model Garden takes no commit
    if example == "cloud-run":
        loads = [
            {f"{key}-loader-{digest(at, key)}{part}" for part in ("", *(f"-{each}" for each in FILES))}
            for at in (after, base)
        ]
        return outcome(created=loads[0], deleted=loads[1], updated={f"{key}-service"})
    replaced = {"{}-loader-script", "{}-loader-job", "{}-disk-source", "{}-disk-claim"} & forms(
        base, base.model(key)
    )
    unmarked = {
        "account",
        "loader-account",
        "peers",
        "picker-account",
        "picker-role",
        "picker-binding",
        "picker-config",
        "picker-service",
        "picker-deployment",
    }
    updated = {
        form
        for form in forms(base, base.model(key)) - replaced
        if not form.startswith(("[", "{}-weights", "hub-token"))
        and form != "gateway-{}-route"
        and form.partition("{}-")[2] not in unmarked
    }
    return outcome(
        created={f"[{key}-collector]", f"{key}-collector-script", f"{key}-collector-job"},
        replaced={form.format(key) for form in replaced},
        updated={form.format(key) for form in updated},
    )


def renamed(example: str, edit: str) -> Outcome:
    """Servers of engines that check the name that is asked for, routes by name, and titles of dashboards."""
    after = side(example, edit)
    checked = {EngineKind.VLLM, EngineKind.VLLM_TPU}
    updated: set[str] = set()
    for model in after.plan.models:
        if model.platform is not PlatformKind.VERTEX and model.server.engine in checked:
            updated |= servers(after, model.key)
        own = {form for form in forms(after, model) if form in {"{}-dashboard", "gateway-{}-route"}}
        updated |= {form.format(model.key) for form in own}
    return outcome(updated=updated)


def renamed_for_good(example: str) -> Outcome:
    before, after = side(example, "base"), side(example, "rename without an alias")
    return outcome(
        created=owned(after, *(model.key for model in after.plan.models)),
        deleted=owned(before, *(model.key for model in before.plan.models)),
        updated=RENAMING_FOR_GOOD[example],
    )


CASES: dict[str, tuple[str, str, Callable[[str], Outcome]]] = {
    "reorder": ("base", "reorder", lambda _: outcome()),
    "rename": ("base", "rename", lambda example: renamed(example, "rename")),
    "rename again": ("rename", "rename again", lambda example: renamed(example, "rename again")),
    "rename twice at once": ("base", "rename again", lambda example: renamed(example, "rename again")),
    "rename back": ("rename", "rename back", lambda example: renamed(example, "rename back")),
    "rename without an alias": ("base", "rename without an alias", renamed_for_good),
    "add": ("base", "add", added),
    "remove": ("base", "remove", removed),
    "context": ("base", "context", another_context),
    "commit": ("base", "commit", another_commit),
}
"""Case to the edits of both sides, and what is expected."""
REFUSED = {
    ("vertex", "remove"): "lists no models",
    **{
        (each, "rename without an alias"): "`qwen3-8b` of the cluster `eu` matches no model in the list"
        for each in ("sharded/eu", "sharded/us")
    },
}
"""Cases that are no update, to what hubstack says: a list of no model; a key that is named under a cluster."""
LIVES = [(example, case) for example in EXAMPLES for case in CASES if (example, case) not in REFUSED]


@pytest.mark.parametrize(("example", "case"), LIVES)
def test_exactly_these_resources_are_touched(example: str, case: str) -> None:
    before, after, expect = CASES[case]
    old, new, expected = side(example, before), side(example, after), expect(example)
    assert judge(old, new) == expected
    assert announced(compared(old, new)) == custom(expected)


@pytest.mark.parametrize(("example", "case"), REFUSED)
def test_what_is_no_update_is_refused(example: str, case: str) -> None:
    with pytest.raises(InputError, match=re.escape(REFUSED[example, case])):
        side(example, CASES[case][1])


def compared(old: Side, new: Side) -> tuple[ResourceChange, ...]:
    return compare_resources(old.state, new.state, load_replacement())


def announced(changes: tuple[ResourceChange, ...]) -> Outcome:
    by = {action: {each.name for each in changes if each.action is action} for action in Action}
    return outcome(
        created=by[Action.CREATE], deleted=by[Action.DELETE], replaced=by[Action.REPLACE], updated=by[Action.UPDATE]
    )


def custom(expected: Outcome) -> Outcome:
    """The diff speaks of what is in the cloud: components are not."""
    return Outcome(
        **{
            name: frozenset(each for each in getattr(expected, name) if not each.startswith("["))
            for name in ("created", "deleted", "replaced", "updated")
        }
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_rename_leaves_each_resource_to_its_model_and_the_rest_alone(example: str) -> None:
    old, new = side(example, "base"), side(example, "rename")
    now = {
        form.format(model.key): form.format(
            renamed_key(model.key) if not model.canary_of else f"{renamed_key(model.canary_of)}-canary"
        )
        for model in old.plan.models
        for form in forms(old, model)
    }
    seen = {label(old.resources[was]): label(new.resources[urn]) for urn, was in pairs(old, new).items()}
    assert seen == {each: now.get(each, each) for each in map(label, old.resources.values())}
    for urn, was in pairs(old, new).items():
        held = [
            {name: each.get(name) for name in ("provider", "options")}
            for each in (old.resources[was], new.resources[urn])
        ]
        assert held[0] == held[1], urn
    moved = [each for each in compared(old, new) if each.action is Action.SETTINGS]
    assert all(each.old_urn and not each.changes for each in moved), "nothing but the name in Pulumi"


@pytest.mark.parametrize("example", EXAMPLES)
def test_labels_tell_resources_apart(example: str) -> None:
    for edit in ("base", "rename", "add"):
        labels = [label(each) for each in side(example, edit).resources.values()]
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_judged_is_what_the_program_registers(example: str) -> None:
    graph = side(example, "base").state.graph
    assert graph
    assert decode(encode(graph))["resources"] == read_graph(example)["resources"]


@pytest.mark.parametrize("example", [each for each in EXAMPLES if (each, "rename without an alias") not in REFUSED])
def test_a_rename_that_forgets_its_former_key_is_announced_as_replacement(example: str) -> None:
    """Once renamed, a list without `was:` gives the same logical names and other physical ones."""
    old, new = side(example, "rename"), side(example, "rename without an alias")
    found = judge(old, new)
    unnamed = {"{}-dashboard"}
    expected = {
        form.format(model.key)
        for model in new.plan.models
        for form in forms(new, model) - unnamed
        if not form.startswith("[")
    }
    assert found.replaced == expected
    assert (found.created, found.deleted) == (frozenset(), frozenset())
    assert announced(compared(old, new)).replaced == found.replaced
