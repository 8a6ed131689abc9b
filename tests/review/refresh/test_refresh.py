# SPDX-License-Identifier: Apache-2.0
"""`hubstack refresh` through Google's own client, against a server that follows Google's discovery documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubstack.inputs.refreshed import load_prices, load_quota
from tests.bad_input.runner import Outcome, base_project, run
from tests.support.rest.standin import TOKEN, StandIn, error, running

GOOGLE = "https://www.googleapis.com/compute/v1/projects/acme-models-dev"


def sku(name: str, what: str, usd: float, usage: str = "OnDemand", unit: str = "h", **more: Any) -> dict[str, Any]:
    price = {"currencyCode": "USD", "units": str(int(usd)), "nanos": round(usd % 1 * 1e9)}
    expression = {"usageUnit": unit, "tieredRates": [{"startUsageAmount": 0, "unitPrice": price}]}
    return {
        "name": f"services/6F81-5844-456A/skus/{name}",
        "skuId": name,
        "description": what,
        "category": {"resourceFamily": "Compute", "usageType": usage},
        "serviceRegions": ["us-central1"],
        "pricingInfo": [{"pricingExpression": expression, "effectiveTime": "2026-11-30T10:00:00Z"}],
        **more,
    }


SKUS = [
    sku("0000-0000-0001", "G2 Instance Core running in Americas", 0.025),
    sku("0000-0000-0002", "G2 Instance Ram running in Americas", 0.003, unit="GiBy.h"),
    sku("0000-0000-0003", "Nvidia L4 GPU running in Americas", 0.56),
    sku("0000-0000-0004", "Spot Preemptible G2 Instance Core running in Americas", 0.01, "Preemptible"),
    sku("0000-0000-0005", "Spot Preemptible G2 Instance Ram running in Americas", 0.001, "Preemptible", "GiBy.h"),
    sku("0000-0000-0006", "Nvidia L4 GPU attached to Spot Preemptible VMs running in Americas", 0.2, "Preemptible"),
    sku("0000-0000-0007", "Balanced PD Capacity", 0.09, unit="GiBy.mo"),
    sku("0000-0000-0008", "E2 Instance Core running in Americas", 0.02),
    sku("0000-0000-0009", "E2 Instance Ram running in Americas", 0.003, unit="GiBy.h"),
]
LOOKALIKES = [
    sku("9999-0000-0001", "Commitment v1: Nvidia L4 GPU running in Americas for 1 Year", 0.1, "Commit1Yr"),
    sku("9999-0000-0002", "Reserved Nvidia L4 GPU running in Americas", 0.01),
    sku("9999-0000-0003", "Nvidia L4 GPU Virtual Workstation running in Americas", 0.2),
    sku("9999-0000-0004", "G2 Custom Instance Core running in Americas", 9.0),
    sku("9999-0000-0005", "Nvidia L4 GPU running in Netherlands", 9.0, serviceRegions=["europe-west4"]),
    sku("9999-0000-0006", "G2 Instance Core running in Americas", 9.0, unit="mo"),
    sku("9999-0000-0007", "Nvidia L4 GPU running in Nowhere", 1.0, pricingInfo=[]),
]
REGION = {
    "name": "us-central1",
    "zones": [f"{GOOGLE}/zones/us-central1-{letter}" for letter in "ab"],
    "quotas": [
        {"metric": "NVIDIA_L4_GPUS", "limit": 2.0, "usage": 1.0},
        {"metric": "PREEMPTIBLE_NVIDIA_L4_GPUS", "limit": 16.0},
        {"metric": "CPUS", "limit": 500.0},
    ],
}
FAMILY = {
    "metric": "compute.googleapis.com/gpus_per_gpu_family",
    "consumerQuotaLimits": [
        {
            "quotaBuckets": [
                {"effectiveLimit": "0", "dimensions": {"gpu_family": "NVIDIA_H100"}},
                {"effectiveLimit": "8", "dimensions": {"gpu_family": "NVIDIA_H100", "region": "us-central1"}},
                {"effectiveLimit": "-1"},
            ]
        }
    ],
}
RESERVATION = {
    "name": "team-a",
    "zone": f"{GOOGLE}/zones/us-central1-a",
    "specificReservation": {
        "count": "4",
        "inUseCount": "1",
        "instanceProperties": {"machineType": "g2-standard-4"},
    },
}
METHODS = (
    "cloudbilling.services.skus.list",
    "compute.regions.get",
    "compute.projects.get",
    "compute.machineTypes.list",
    "compute.acceleratorTypes.list",
    "compute.reservations.aggregatedList",
    "serviceusage.services.consumerQuotaMetrics.list",
)


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    (tmp_path / "keys").mkdir()
    with running(tmp_path / "keys", monkeypatch) as standin:
        standin.answer("cloudbilling.services.skus.list", {"skus": LOOKALIKES + SKUS[:4]}, {"skus": SKUS[4:]})
        standin.answer("compute.regions.get", REGION)
        standin.answer("compute.projects.get", {"quotas": [{"metric": "GPUS_ALL_REGIONS", "limit": 2.0}]})
        standin.answer(
            "compute.machineTypes.list",
            {"items": [{"name": "g2-standard-4"}]},
            {"items": [{"name": "n1-standard-4"}]},
        )
        standin.answer("compute.acceleratorTypes.list", {"items": [{"name": "nvidia-l4"}]})
        standin.answer(
            "compute.reservations.aggregatedList",
            {"items": {"zones/us-central1-a": {"reservations": [RESERVATION]}}},
            {"items": {"zones/us-central1-b": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}},
        )
        standin.answer("serviceusage.services.consumerQuotaMetrics.list", {"metrics": [FAMILY]})
        yield standin


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    base_project(folder)
    return folder


def refresh(project: Path, *options: str) -> Outcome:
    done = run(project, "refresh", ("refresh", "dev", *options))
    assert TOKEN not in done.stdout + done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    return done


def test_prices_are_the_sums_of_the_skus_that_a_machine_has(google: StandIn, project: Path) -> None:
    done = refresh(project)
    assert (done.code, done.stderr, google.wrong) == (0, "", [])
    found = load_prices(project / "stacks" / "dev.prices.yaml", "dev.prices.yaml")
    assert found
    machine = found.items["g2-standard-8"]["us-central1"]
    assert machine["on-demand"] == {"0000-0000-0001": 8, "0000-0000-0002": 32, "0000-0000-0003": 1}
    assert machine["spot"] == {"0000-0000-0004": 8, "0000-0000-0005": 32, "0000-0000-0006": 1}
    assert set(found.skus) == {each["skuId"] for each in SKUS}, "no lookalike is a part of any machine"
    assert "a2-highgpu-1g" not in found.items, "a machine of which a SKU is missing has no price"


def test_quotas_reservations_and_zones_are_those_of_the_project(google: StandIn, project: Path) -> None:
    assert refresh(project).code == 0
    found = load_quota(project / "stacks" / "dev.quota.yaml", "dev.quota.yaml")
    assert found
    held = found.quota["us-central1"]
    assert (held["l4"].on_demand, held["l4"].spot) == (2, 16)
    assert (held["h100-80gb"].on_demand, held["h100-80gb"].spot) == (8, None), "the region's own limit wins"
    assert "h200-141gb" not in held, "what Google did not say is absent"
    assert found.all_regions == 2
    assert found.reservations["team-a"].zone == "us-central1-a"
    assert found.zones["us-central1-b"] == ("g2-standard-4",), "an N1 without its GPU in the zone is none"


def test_every_page_is_asked_for_and_only_methods_that_read(google: StandIn, project: Path) -> None:
    assert refresh(project).code == 0
    assert [given.get("pageToken") for name, given in google.asked if name == METHODS[0]] == [None, "1"]
    assert {name for name, _ in google.asked} == set(METHODS)


def test_plans_use_what_was_read_with_its_date_and_age(google: StandIn, project: Path) -> None:
    assert refresh(project).code == 0
    shown = run(project, "plan", ("plan", "dev", "-v")).stdout
    assert "Cloud Billing Catalog" in shown
    assert "stacks/dev.prices.yaml was read from Google on" in shown
    assert "(today)" in shown
    assert "need 3 on-demand l4 in us-central1; granted: 2" in shown
    assert "needs 3 GPUs; granted over all regions: 2" in shown
    prices = project / "stacks" / "dev.prices.yaml"
    text = prices.read_text()
    day = next(line for line in text.splitlines() if line.startswith("as_of:"))
    prices.write_text(text.replace(day, "as_of: 2026-01-31", 1))
    assert "which is old: run `hubstack refresh dev`" in run(project, "plan", ("plan", "dev")).stdout


def test_the_exchange_rate_is_that_of_the_account_s_currency(google: StandIn, project: Path) -> None:
    settings = project / "stacks" / "Pulumi.dev.yaml"
    settings.write_text(settings.read_text() + "  hubstack:currency: EUR\n  hubstack:budget: 4000\n")
    listed = google.answers[METHODS[0]]
    rate = sku("0000-0000-0001", "x", 1.0)
    rate["pricingInfo"][0]["currencyConversionRate"] = 0.8

    def by_currency(given: dict[str, Any]) -> tuple[int, Any]:
        return (200, {"skus": [rate]}) if given["currencyCode"] == "EUR" else listed(given)

    google.answers[METHODS[0]] = by_currency
    assert run(project, "plan", ("plan", "dev")).code == 2, "no rate is known yet"
    assert refresh(project).code == 0
    shown = run(project, "plan", ("plan", "dev")).stdout
    assert "1 USD = 0.8 EUR, Cloud Billing Catalog, 2026-11-30" in shown
    assert "Budget: $5,000, EUR 4,000 a month" in shown


@pytest.mark.parametrize("only", ["prices", "quota"])
def test_one_part_can_be_read_alone(google: StandIn, project: Path, only: str) -> None:
    assert refresh(project, "--only", only).code == 0
    written = [name for name in ("prices", "quota") if (project / "stacks" / f"dev.{name}.yaml").exists()]
    assert written == [only]


# Refusals -----------------------------------------------------------------------------------------------------


def _slow(*values: Any) -> list[Any]:
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


@pytest.mark.parametrize("method", [METHODS[1], METHODS[6], *_slow(METHODS[0], *METHODS[2:6])])
def test_a_missing_permission_is_named_and_nothing_is_written(google: StandIn, project: Path, method: str) -> None:
    said = error(403, f"Required '{method}' permission for 'projects/acme-models-dev'")
    google.answers[method] = lambda _: (403, said)
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert f"the permission `{method}` is missing" in done.stderr


def test_the_permission_of_structured_details_is_named(google: StandIn, project: Path) -> None:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "metadata": {"permission": "serviceusage.quotas.get"},
    }
    google.answers[METHODS[6]] = lambda _: (403, error(403, "The caller does not have permission", info))
    assert "the permission `serviceusage.quotas.get` is missing" in refresh(project).stderr


@pytest.mark.parametrize(
    ("method", "title", "api"),
    [
        (METHODS[0], "Cloud Billing API", "cloudbilling"),
        pytest.param(METHODS[1], "Compute Engine API", "compute", marks=pytest.mark.slow),
        pytest.param(METHODS[6], "Service Usage API", "serviceusage", marks=pytest.mark.slow),
    ],
)
def test_an_api_that_is_not_enabled_is_told_how_to_enable(
    google: StandIn, project: Path, method: str, title: str, api: str
) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}
    google.answers[method] = lambda _: (403, error(403, "It has not been used in project 1 before", info))
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert f"{title} is not enabled in acme-models-dev" in done.stderr
    assert f"hint: gcloud services enable {api}.googleapis.com --project acme-models-dev" in done.stderr


@pytest.mark.parametrize(
    "answer",
    [
        {"items": {}, "unreachables": ["zones/us-central1-c"]},
        *_slow(
            {"items": {}, "warning": {"code": "UNREACHABLE", "message": "zone down"}},
            {"items": {"zones/us-central1-c": {"warning": {"code": "UNREACHABLE"}}}},
        ),
    ],
)
def test_a_partial_answer_is_refused(google: StandIn, project: Path, answer: dict[str, Any]) -> None:
    google.answer("compute.reservations.aggregatedList", answer)
    done = refresh(project)
    assert (done.code, done.is_untouched, google.wrong) == (2, True, [])
    assert "compute.reservations.aggregatedList returned only a part" in done.stderr


def test_a_page_that_names_itself_ends(google: StandIn, project: Path) -> None:
    google.answers[METHODS[0]] = lambda _: (200, {"skus": SKUS, "nextPageToken": "1"})
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert "gave the same page twice" in done.stderr


def test_the_files_of_the_last_time_stay_when_google_refuses(google: StandIn, project: Path) -> None:
    assert refresh(project).code == 0
    google.answers[METHODS[6]] = lambda _: (404, error(404, "Not found"))
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert "check `gcp:project` and `gcp:region`" in done.stderr


@pytest.mark.parametrize("content", ["[]", *_slow("<html>proxy</html>", "{")])
def test_what_is_no_answer_of_google_is_an_error(google: StandIn, project: Path, content: str) -> None:
    google.answers[METHODS[1]] = lambda _: (403, content.encode())
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert "Traceback" not in done.stderr


def test_without_credentials_the_login_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(project / "absent.json"))
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert "hint: gcloud auth application-default login" in done.stderr


def test_credentials_that_google_no_longer_takes_are_named(google: StandIn, project: Path) -> None:
    google.answers[METHODS[0]] = lambda _: (401, error(401, "Request had invalid authentication credentials."))
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert "hint: gcloud auth application-default login" in done.stderr


def test_a_credential_is_never_sent_unencrypted(
    google: StandIn, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "http://compute.example.com/compute/v1/")
    done = refresh(project, "--only", "quota")
    assert (done.code, google.asked) == (2, [])
    assert "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: must be an https address" in done.stderr


def test_without_google_s_client_the_extra_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "googleapiclient.discovery", None)
    done = refresh(project)
    assert (done.code, done.is_untouched) == (2, True)
    assert 'uv add "hubstack[refresh]"' in done.stderr
