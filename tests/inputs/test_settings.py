# SPDX-License-Identifier: Apache-2.0
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hubstack.files.errors import InputError
from hubstack.inputs.clusters import SETTINGS
from hubstack.inputs.environment import Environment
from hubstack.inputs.pulumi_config import SECRET_PLACEHOLDER
from hubstack.inputs.settings import KEYS, SECRETS, StackSettings, read_settings
from hubstack.inputs.stack import Stack
from hubstack.kinds import Ingress
from hubstack.plan.settings import Money, MonitoringPlan

PROJECT = Path(__file__).resolve().parents[2]
OTHERS = {"hubstack:apiKey": SECRET_PLACEHOLDER, "aws:region": "x"}
LEAST = {"gcp:project": "acme-ml-prod", "gcp:region": "us-central1"}


def read(**more: str) -> StackSettings:
    return read_settings("dev", {**LEAST, **{f"hubstack:{key}": text for key, text in more.items()}})


def refused(config: Mapping[str, str]) -> str:
    with pytest.raises(InputError) as caught:
        read_settings("dev", config)
    return str(caught.value)


def test_project_and_region_are_enough() -> None:
    target = read()
    assert (target.models_path, target.namespace) == ("stacks/dev.models.yaml", "models")
    assert (target.zones, target.budget_usd_per_month) == ((), None)
    assert target.deletion_protection is True, "the safe side is the default"


def test_every_setting_is_read() -> None:
    target = read(
        models="lists/a.yaml",
        namespace="serving",
        budget="5000.50",
        deletionProtection="false",
        zones='["us-central1-a", "us-central1-b"]',
    )
    assert target.changed(source=None) == StackSettings(
        stack="dev",
        project="acme-ml-prod",
        region="us-central1",
        zones=("us-central1-a", "us-central1-b"),
        models_file="lists/a.yaml",
        namespace="serving",
        budget_per_month=5000.5,
        deletion_protection=False,
    )


def test_monitoring_is_on_and_tells_nobody_by_default() -> None:
    assert read().monitoring == MonitoringPlan()
    assert read(monitoring="false").monitoring is None


def test_who_is_told_and_the_budget_s_account_are_read() -> None:
    channel = "projects/acme/notificationChannels/7"
    target = read(alerts=f'["{channel}", "ops@example.org"]', budget="5000", billingAccount="0A1B2C-3D4E5F-678901")
    assert target.monitoring == MonitoringPlan(
        emails=("ops@example.org",),
        channels=(channel,),
        billing_account="0A1B2C-3D4E5F-678901",
        budget_usd_per_month=5000,
    )


def test_an_account_without_a_budget_is_refused() -> None:
    said = refused({**LEAST, "hubstack:billingAccount": "0A1B2C-3D4E5F-678901"})
    assert "`hubstack:budget` is missing: `hubstack:billingAccount` is set" in said


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


def test_the_alert_of_an_account_in_another_currency_names_it() -> None:
    monitoring = read(billingBudget="4000", billingAccount="0A1B2C-3D4E5F-678901", currency="EUR").monitoring
    assert monitoring
    assert monitoring.budget_usd_per_month is None
    assert monitoring.alert_budget == Money(units=4000, currency="EUR")


def test_a_billing_budget_without_an_account_is_refused() -> None:
    said = refused({**LEAST, "hubstack:billingBudget": "4000"})
    assert "`hubstack:billingAccount` is missing: `hubstack:billingBudget` needs an account" in said


@pytest.mark.parametrize("key", sorted(LEAST))
def test_what_is_missing_is_named_with_the_command_that_sets_it(key: str) -> None:
    said = refused({name: text for name, text in LEAST.items() if name != key})
    assert f"`{key}` is missing" in said
    assert f"pulumi config set {key}" in said
    assert said.startswith("Pulumi.dev.yaml: ")


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("gcp:project", "Acme", 'must be a Google Cloud project ID, not `"Acme"`'),
        ("gcp:project", "a", "must be a Google Cloud project ID"),
        ("gcp:region", "us-central1-a", "must be a region such as us-central1"),
        ("gcp:region", "America", "must be a region"),
        ("hubstack:namespace", "My_Models", "must be a Kubernetes namespace"),
        ("hubstack:alerts", '["ops"]', "must be an e-mail address or `projects/"),
        ("hubstack:alerts", "ops@example.org", "must be a list"),
        ("hubstack:billingAccount", "0a1b2c", "must be an account such as 0A1B2C-3D4E5F-678901"),
        ("hubstack:monitoring", "maybe", 'must be true or false, not `"maybe"`'),
        ("hubstack:budget", "a lot", "must be a number"),
        ("hubstack:budget", "-5", "must be above 0"),
        ("hubstack:budget", "0", "must be above 0"),
        ("hubstack:budget", "nan", "must be a finite number"),
        ("hubstack:budget", "1e999", "must be a finite number"),
        ("hubstack:deletionProtection", "yes", "true or false"),
        ("hubstack:runIngress", "public", "must be one of internal, internal-and-cloud-load-balancing, all"),
        ("hubstack:runInvokers", "group:a@example.com", "must be a list"),
        ("hubstack:runInvokers", '["a@example.com"]', "must be an IAM member such as"),
        ("hubstack:zones", "us-central1-a", "must be a list"),
        ("hubstack:zones", "[1]", "item 1 of `hubstack:zones` must be text"),
        ("hubstack:namespace", "default", "Kubernetes, GKE or the stack's controllers use"),
        ("hubstack:namespace", "kube-system", "choose another"),
        ("hubstack:namespace", "gke-managed-system", "choose another"),
        ("hubstack:namespace", "gmp-public", "choose another"),
        ("hubstack:namespace", "keda", "choose another"),
        ("hubstack:releaseChannel", "FAST", "must be one of RAPID, REGULAR, STABLE, EXTENDED"),
        ("hubstack:releaseChannel", "regular", "must be one of RAPID, REGULAR"),
        ("hubstack:zones", '["us-central1-a", "us-central1-a"]', "contains `us-central1-a` more than once"),
        ("hubstack:regions", '["us-east1", "us-east1"]', "contains `us-east1` more than once"),
        ("hubstack:runInvokers", '["group:a@b.c", "group:a@b.c"]', "contains `group:a@b.c` more than once"),
        ("hubstack:alerts", '["a@example.org", "a@example.org"]', "contains `a@example.org` more than once"),
        ("hubstack:zones", '["europe-west4-a"]', "contains `europe-west4-a`, which is not in us-central1"),
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
        target = read_settings("dev", config)
    except InputError as error:
        said = str(error)
        problems = len(error.problems)
    else:
        said, problems = target.project, 1
    assert said
    assert problems >= 1


def test_a_setting_is_one_field_and_no_default_stands_in_pulumi_yaml() -> None:
    assert "config" not in yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())
    assert {key.partition(":")[2] for key in KEYS} - set(SETTINGS) == {
        "apiKey",
        "clusters",
        "hfToken",
        "iapClientSecret",
        "models",
        "shardOf",
    }, "what a cluster may not have otherwise is said at the field"
    assert [key for key in KEYS if key.startswith("gcp:")] == ["gcp:project", "gcp:region"]


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_in_plain_text_is_refused_without_its_value(tmp_path: Path, key: str) -> None:
    """In the program, which is handed texts, and in the file, whose line is shown."""
    value = "hf_AbCdEfGhIjKlMnOp"
    said = refused({**LEAST, key: value})
    assert f"`{key}` is a secret in plain text" in said
    assert f"pulumi config set --secret {key}" in said
    assert value not in said
    (tmp_path / "Pulumi.yaml").write_text("name: hubstack\nruntime: python\n")
    (tmp_path / "stacks").mkdir()
    path = tmp_path / "stacks" / "Pulumi.dev.yaml"
    for line in (f"{key}: {value}", f"{key.lower()}: {value}", f"{key}: [{value}", f"{key}s: '{value}'"):
        path.write_text(f"config:\n  gcp:project: acme-ml\n  gcp:region: us-central1\n  {line}\n")
        with pytest.raises(InputError) as caught:
            assert Stack.load(Environment(project_dir=tmp_path, stack="dev", config_file=path)).settings
        assert value not in str(caught.value)
        assert re.search(r"stacks/Pulumi.dev.yaml:[45]:", str(caught.value))


def test_an_encrypted_secret_is_taken_and_never_read(tmp_path: Path) -> None:
    settings = read(hfToken=SECRET_PLACEHOLDER, apiKey=SECRET_PLACEHOLDER)
    assert (settings.hf_token, settings.api_key) == (SECRET_PLACEHOLDER, SECRET_PLACEHOLDER)


def test_yaml_values_in_a_file_are_read_as_the_texts_are(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: hubstack\nruntime: python\n")
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(
        "config:\n  gcp:project: acme-ml\n  gcp:region: us-central1\n  hubstack:zones: [us-central1-a]\n"
        "  hubstack:budget: 5000\n  hubstack:autoscaling: false\n  hubstack:gateway: {mode: inference}\n"
    )
    stack = Stack.load(Environment(project_dir=tmp_path, stack="dev", config_file=path))
    as_texts = read_settings("dev", dict(stack.config))
    assert stack.settings.changed(source=None) == as_texts.changed(source=None)
    assert stack.settings.zones == ("us-central1-a",)


def test_a_setting_that_nobody_reads_is_refused_since_the_cli_takes_any() -> None:
    said = refused({**LEAST, "hubstack:deletionProtecton": "false", **OTHERS})
    assert said.splitlines()[0] == "Pulumi.dev.yaml: unknown key `hubstack:deletionProtecton`"
    assert "did you mean `hubstack:deletionProtection`?" in said
    assert said.count("unknown key") == 1, "settings of others are not ours to judge"


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
