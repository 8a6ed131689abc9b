# SPDX-License-Identifier: Apache-2.0
"""Our stand-in for the kubelets: no container runs.

Owns the status of bound pods: servers become ready at once, pods of a Job succeed, and deleted pods are removed
after `stop_seconds`. The real controllers therefore behave as with real nodes.
"""

import time
from collections.abc import Callable
from itertools import count

from proof.api import Api, ApiError, Object, owner


class Kubelet:
    """All nodes' kubelets in one."""

    def __init__(self, api: Api, now: Callable[[], str]) -> None:
        self._api, self._now = api, now
        self._addresses = count(2)
        self.stop_seconds = 0.0
        """How long a pod that is deleted keeps its node's resources, as a server that ends its requests does."""
        self._going: dict[str, float] = {}

    def step(self, pods: list[Object]) -> None:
        """Process all pods once."""
        for pod in pods:
            if "deletionTimestamp" in pod["metadata"]:
                self._end(pod)
            elif pod["spec"].get("nodeName") and pod["status"].get("phase") == "Pending":
                self._run(pod)

    def stop(self) -> None:
        """Nothing runs that would have to be stopped."""

    def _end(self, pod: Object) -> None:
        since = self._going.setdefault(pod["metadata"]["uid"], time.monotonic())
        if not pod["spec"].get("nodeName") or time.monotonic() - since >= self.stop_seconds:
            self._api.delete(pod, now=True)

    def _run(self, pod: Object) -> None:
        maker = owner(pod)
        is_job = maker is not None and maker["kind"] == "Job"
        address = next(self._addresses)
        now = self._now()
        ip = f"10.{8 + address // 62500}.{address // 250 % 250}.{address % 250 + 1}"
        types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        status = {
            "phase": "Succeeded" if is_job else "Running",
            "startTime": now,
            "hostIP": "10.128.0.2",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [
                {"type": each, "status": _truth(each, done=is_job), "lastTransitionTime": now} for each in types
            ],
            **{
                f"{kind}Statuses": [_container(each, now, done=is_job) for each in pod["spec"].get(f"{kind}s", ())]
                for kind in ("initContainer", "container")
            },
        }
        try:
            self._api.patch(pod, {"status": status}, subresource="/status")
        except ApiError as error:
            if error.status not in (404, 409):  # gone, or changed meanwhile: the next step sees it
                raise


def _truth(name: str, *, done: bool) -> str:
    return "False" if done and name in ("Ready", "ContainersReady") else "True"


def _container(container: Object, now: str, *, done: bool) -> Object:
    state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "restartCount": 0,
        "ready": not done,
        "started": not done,
        "state": state if done else {"running": {"startedAt": now}},
    }
