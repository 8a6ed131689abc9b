# SPDX-License-Identifier: Apache-2.0
"""The exceptions of hubstack, all in one place.

    HubstackError            any expected failure, with a printable message
    └── InputError           the user's files or arguments are invalid: contains every Problem found (exit 2)
        ├── LockError        the lock does not match the model list (missing, stale, unreadable)
        └── PlanError        a valid model list cannot be planned (nothing fits, no engine serves it)
    └── HubError             the Hub could not be reached, or refused a request (exit 2)
    └── PreviewError         the Pulumi program failed, or violated the protocol (exit 2)

A separate class exists only if callers handle it differently.
"""

from collections.abc import Iterable, Sequence

from hubstack.files.problems import Problem, render_problems


class HubstackError(Exception):
    """Any expected failure; `str()` is the message for the user."""


class InputError(HubstackError):
    """The user's files or arguments are invalid."""

    def __init__(self, problems: Sequence[Problem], *, models: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.models = frozenset(models)
        """Keys of the affected models; empty if the whole list is affected."""
        super().__init__(render_problems(self.problems))


class LockError(InputError):
    """The lock does not match the model list."""


class PlanError(InputError):
    """A valid model list that cannot be planned."""


class HubError(HubstackError):
    """The Hub could not be reached, or refused a request."""


class PreviewError(HubstackError):
    """The Pulumi program failed during preview."""

    def __init__(self, message: str, resources: Sequence[str] = ()) -> None:
        self.resources = tuple(resources)
        """Logical names of the affected resources."""
        super().__init__(message)
