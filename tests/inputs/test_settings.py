# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hubstack.files.errors import InputError
from hubstack.inputs.pulumi_config import UNDECLARED
from hubstack.inputs.settings import KEYS, Target, read_target
from hubstack.kinds import Ingress
from hubstack.plan.settings import MonitoringPlan

PROJECT = Path(__file__).resolve().parents[2]
LEAST = {"gcp:project": "acme-ml-prod", "gcp:region": "us-central1"}


def read(**more: str) -> Target:
    return read_target("dev", {**LEAST, **{f"hubstack:{key}": text for key, text in more.items()}})


def refused(config: Mapping[str, str]) -> str:
    with pytest.raises(InputError) as caught:
        read_target("dev", config)
    return str(caught.value)


def test_project_and_region_are_enough() -> None:
    target = read()
    assert (target.models_path, target.namespace) == ("stacks/dev.models.yaml", "models")
    assert (target.zones, target.budget_usd_per_month) == ((), None)
    assert target.deletion_protection is True, "the safe side is the default"


def test_every_setting_is_read() -> None:
    target = read(models="lists/a.yaml", namespace="serving", budget="5000.50", deletionProtection="false",
                  zones='["us-central1-a", "us-central1-b"]')  # fmt: skip
    assert target == Target(
        stack="dev", project="acme-ml-prod", region="us-central1", zones=("us-central1-a", "us-central1-b"),
        models_path="lists/a.yaml", namespace="serving", budget_usd_per_month=5000.5, deletion_protection=False,
        monitoring=MonitoringPlan(),
    )  # fmt: skip


def test_monitoring_is_on_and_tells_nobody_by_default() -> None:
    assert read().monitoring == MonitoringPlan()
    assert read(monitoring="false").monitoring is None


def test_who_is_told_and_the_budget_s_account_are_read() -> None:
    channel = "projects/acme/notificationChannels/7"
    target = read(alerts=f'["{channel}", "ops@example.org"]', budget="5000", billingAccount="0A1B2C-3D4E5F-678901")
    assert target.monitoring == MonitoringPlan(
        emails=("ops@example.org",), channels=(channel,), billing_account="0A1B2C-3D4E5F-678901",
        budget_usd_per_month=5000,
    )  # fmt: skip


def test_an_account_without_a_budget_is_refused() -> None:
    said = refused({**LEAST, "hubstack:billingAccount": "0A1B2C-3D4E5F-678901"})
    assert "`hubstack:budget` is missing: a billing account is named" in said


def test_a_budget_alone_is_a_limit_of_the_plan_and_declares_nothing() -> None:
    monitoring = read(budget="5000").monitoring
    assert monitoring
    assert monitoring.budget_usd_per_month is None


def test_the_billing_alert_may_watch_another_sum_than_the_plan_is_held_to() -> None:
    account = {"billingAccount": "0A1B2C-3D4E5F-678901"}
    both = read(budget="5000", billingBudget="4000", **account)
    alone = read(billingBudget="4000", **account)
    assert both.monitoring
    assert alone.monitoring
    assert (both.budget_usd_per_month, both.monitoring.budget_usd_per_month) == (5000, 4000)
    assert (alone.budget_usd_per_month, alone.monitoring.budget_usd_per_month) == (None, 4000)


def test_a_billing_budget_without_an_account_is_refused() -> None:
    said = refused({**LEAST, "hubstack:billingBudget": "4000"})
    assert "`hubstack:billingAccount` is missing: `hubstack:billingBudget` is declared on one" in said


@pytest.mark.parametrize("key", sorted(LEAST))
def test_what_is_missing_is_named_with_the_command_that_sets_it(key: str) -> None:
    said = refused({name: text for name, text in LEAST.items() if name != key})
    assert f"`{key}` is missing" in said
    assert f"pulumi config set {key}" in said
    assert said.startswith("Pulumi.dev.yaml: ")


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("gcp:project", "Acme", "is `Acme`, which is not a Google Cloud project id"),
        ("gcp:project", "a", "not a Google Cloud project id"),
        ("gcp:region", "us-central1-a", "not a region such as us-central1"),
        ("gcp:region", "America", "not a region"),
        ("hubstack:namespace", "My_Models", "not a Kubernetes namespace"),
        ("hubstack:alerts", '["ops"]', "names `ops`, which is not an e-mail address or `projects/"),
        ("hubstack:alerts", "ops@example.org", "must be a list of e-mail addresses and channels"),
        ("hubstack:billingAccount", "0a1b2c", "not an account such as 0A1B2C-3D4E5F-678901"),
        ("hubstack:monitoring", "maybe", "is `maybe`: true or false"),
        ("hubstack:budget", "a lot", "no sum in USD a month"),
        ("hubstack:budget", "-5", "no sum"),
        ("hubstack:budget", "0", "no sum"),
        ("hubstack:budget", "nan", "no sum"),
        ("hubstack:budget", "1e999", "no sum"),
        ("hubstack:deletionProtection", "yes", "true or false"),
        ("hubstack:runIngress", "public", "none of internal, internal-and-cloud-load-balancing, all"),
        ("hubstack:runInvokers", "group:a@example.com", "must be a list of IAM members"),
        ("hubstack:runInvokers", '["a@example.com"]', "`a@example.com`, which is no IAM member"),
        ("hubstack:zones", "us-central1-a", "must be a list of zone names"),
        ("hubstack:zones", "[1]", "must be a list of zone names"),
        ("hubstack:zones", '["europe-west4-a"]', "names `europe-west4-a`, which is not in us-central1"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_value_and_its_rule(key: str, text: str, why: str) -> None:
    said = refused({**LEAST, key: text})
    assert f"`{key}`" in said
    assert why in said


def test_all_wrong_settings_are_told_at_once() -> None:
    said = refused({"gcp:project": "A", "hubstack:budget": "x", "hubstack:zones": "x"})
    assert all(f"`{key}`" in said for key in ("gcp:project", "gcp:region", "hubstack:budget", "hubstack:zones"))


@given(
    st.dictionaries(
        st.sampled_from(KEYS), st.text(max_size=30) | st.sampled_from(["[", "[[", "1" * 5000]), max_size=9
    )
)
def test_no_setting_makes_a_traceback(config: dict[str, str]) -> None:
    try:
        target = read_target("dev", config)
    except InputError as error:
        said = str(error)
        problems = len(error.problems)
    else:
        said, problems = target.project, 1
    assert said
    assert problems >= 1


def test_every_setting_can_be_made_and_is_described() -> None:
    """Declared in Pulumi.yaml or known to be optional, and a row of the guide's table."""
    declared = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    table = (PROJECT / "docs" / "getting-started" / "first-stack.md").read_text()
    for key in KEYS:
        assert f"| `{key}` |" in table
        if key.startswith("hubstack:"):
            assert key in declared or key.removeprefix("hubstack:") in UNDECLARED, f"{key} would be refused"


def test_a_setting_that_nobody_reads_is_refused_since_the_cli_takes_any() -> None:
    said = refused({**LEAST, "hubstack:deletionProtecton": "false", "hubstack:apiKey": "k", "aws:region": "x"})
    assert said.splitlines()[0] == "Pulumi.dev.yaml: unknown setting `hubstack:deletionProtecton`"
    assert "did you mean `hubstack:deletionProtection`?" in said
    assert said.count("unknown setting") == 1, "others' settings and secrets are none"


def test_who_may_call_cloud_run_is_nobody_by_default_and_never_everyone() -> None:
    assert (read().run_ingress, read().run_invokers) == (Ingress.INTERNAL, ())
    asked = read(runIngress="all", runInvokers='["group:apps@example.com", "domain:example.com"]')
    assert (asked.run_ingress, asked.run_invokers) == (
        Ingress.ALL,
        ("group:apps@example.com", "domain:example.com"),
    )
    for everyone in ("allUsers", "allAuthenticatedUsers", "ALLUSERS"):
        said = refused({**LEAST, "hubstack:runInvokers": f'["{everyone}"]'})
        assert "models are never open to everyone" in said
