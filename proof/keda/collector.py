# SPDX-License-Identifier: Apache-2.0
"""Our stand-in for Managed Prometheus: it scrapes what PodMonitorings select, when it is asked.

Owns which samples a query of a rendered trigger selects. It answers `sum(metric{label="value",...})` and no other
query, over the ready pods of this moment: there is no history.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx2

from proof.api import Api, Object
from proof.gateway.routes import is_ready
from proof.pods.addresses import Addresses

_SUM = re.compile(r"sum\(([a-zA-Z_:][\w:]*)\{([^{}]*)\}\)")
_MATCHER = re.compile(r'(\w+)="([^"]*)"')
_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_SECONDS = 5


class UnknownQueryError(ValueError):
    """A query that this stand-in does not evaluate."""


@dataclass(frozen=True)
class Collector:
    """Scrapes the pods of a cluster."""

    api: Api
    addresses: Addresses
    cluster: str
    """The label that Google adds."""

    def sum_of(self, query: str) -> float | None:
        """Return the value of a query, None if no sample matches.

        Raises:
            UnknownQueryError: it is not a sum of selected samples.
        """
        found = _SUM.fullmatch(query)
        if found is None or _MATCHER.sub("", found[2]).strip(", "):
            raise UnknownQueryError(query)
        wanted = dict(_MATCHER.findall(found[2])).items()
        values = [value for name, labels, value in self._samples() if name == found[1] and labels.items() >= wanted]
        return sum(values) if values else None

    def _samples(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        for monitoring in self.api.objects("monitoring.googleapis.com/v1", "PodMonitoring"):
            namespace = monitoring["metadata"]["namespace"]
            for pod in self.api.objects("v1", "Pod", namespace):
                if _is_selected(monitoring, pod) and is_ready(pod):
                    added = {"cluster": self.cluster, "namespace": namespace, **_labels(monitoring, pod)}
                    yield from ((name, own | added, value) for name, own, value in self._scraped(monitoring, pod))

    def _scraped(self, monitoring: Object, pod: Object) -> Iterator[tuple[str, dict[str, str], float]]:
        ports = {
            port["name"]: port["containerPort"]
            for container in pod["spec"]["containers"]
            for port in container.get("ports", ())
            if "name" in port
        }
        for endpoint in monitoring["spec"]["endpoints"]:
            if endpoint["port"] not in ports:
                continue
            place = f"{self.addresses.local(pod['status']['podIP'])}:{ports[endpoint['port']]}"
            with contextlib.suppress(httpx2.TransportError):  # it ends just now
                url = f"http://{place}{endpoint.get('path', '/metrics')}"
                text = httpx2.get(url, timeout=_SECONDS, trust_env=False).text
                for name, labels, value in _SAMPLE.findall(text):
                    yield name, dict(_MATCHER.findall(labels)), float(value)


def _is_selected(monitoring: Object, pod: Object) -> bool:
    selector, labels = monitoring["spec"]["selector"], pod["metadata"].get("labels", {})
    listed = selector.get("matchExpressions", ())  # only of operator In
    return labels.items() >= selector.get("matchLabels", {}).items() and all(
        labels.get(each["key"]) in each["values"] for each in listed
    )


def _labels(monitoring: Object, pod: Object) -> dict[str, str]:
    rows = monitoring["spec"].get("targetLabels", {}).get("fromPod", ())
    return {
        row["to"]: pod["metadata"]["labels"][row["from"]]
        for row in rows
        if row["from"] in pod["metadata"]["labels"]
    }
