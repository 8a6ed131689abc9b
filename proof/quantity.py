# SPDX-License-Identifier: Apache-2.0
"""Kubernetes quantities, and what a pod asks for by the scheduler's own rule."""

from collections import Counter
from fractions import Fraction

from proof.api import Object

_FACTORS = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
}


def amount(text: str | int) -> Fraction:
    """Return the value of a quantity: `500m`, `4Gi`, `2`."""
    said = str(text)
    number = said.rstrip("mkKMGTi")
    return Fraction(number) * _FACTORS[said[len(number) :]]


def requests(pod: Object) -> Counter[str]:
    """Return what a pod asks for: its containers and sidecars together, or a larger init container; and one pod."""
    spec = pod["spec"]
    total: Counter[str] = Counter()
    largest: Counter[str] = Counter()
    for container in spec.get("initContainers", ()):
        asked = _asked(container)
        if container.get("restartPolicy") == "Always":
            total += asked
        largest |= total if container.get("restartPolicy") == "Always" else total + asked
    for container in spec["containers"]:
        total += _asked(container)
    return (total | largest) + Counter({"pods": 1})


def _asked(container: Object) -> Counter[str]:
    resources = container.get("resources", {})
    # An extended resource may stand under limits only.
    asked = {**resources.get("limits", {}), **resources.get("requests", {})}
    return Counter({name: amount(value) for name, value in asked.items()})  # pyright: ignore[reportArgumentType]
