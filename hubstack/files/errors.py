# SPDX-License-Identifier: Apache-2.0
"""The exceptions of hubstack, all in one place.

    HubstackError            anything that hubstack refuses, with a text fit to print
    └── InputError           the user's files or arguments are wrong: carries every Problem found (exit 2)
        ├── LockError        what the lock says does not serve the request (missing, stale, unreadable)
        └── PlanError        no plan can be made of a valid request (nothing fits, no engine serves it)
    └── HubError             the Hub could not be asked, or refused (exit 2)
    └── PreviewError         the Pulumi program failed, or broke a rule of the protocol (exit 2)

A class of its own exists only where a caller acts differently.
"""

from collections.abc import Iterable, Sequence

from hubstack.files.problems import Problem, render_problems


class HubstackError(Exception):
    """Anything that hubstack refuses; `str()` is what the user reads."""


class InputError(HubstackError):
    """The user's files or arguments are wrong."""

    def __init__(self, problems: Sequence[Problem], *, models: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.models = frozenset(models)
        """Keys of the models that it is about; empty where it is about the whole list."""
        super().__init__(render_problems(self.problems))


class LockError(InputError):
    """The lock does not serve the request."""


class PlanError(InputError):
    """A valid request of which no plan can be made."""


class HubError(HubstackError):
    """The Hub could not be asked, or refused."""


class PreviewError(HubstackError):
    """The Pulumi program failed under preview."""

    def __init__(self, message: str, resources: Sequence[str] = ()) -> None:
        self.resources = tuple(resources)
        """Logical names of the resources that it is about."""
        super().__init__(message)
