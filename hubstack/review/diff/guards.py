# SPDX-License-Identifier: Apache-2.0
"""Reads the protections of a stack from its files: settings, model flags, policy.yaml and figures.

Owns the reading, which is done here rather than by the version's own program, because the author of a pull request
controls that program. Does not own what counts as weaker (`hubstack.review.diff.protection`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubstack.files.errors import HubstackError
from hubstack.inputs.clusters import settings_of
from hubstack.inputs.environment import find_environment
from hubstack.inputs.pulumi_config import SECRET_PLACEHOLDER
from hubstack.inputs.settings import DEFAULT_TEXTS, SECRETS
from hubstack.inputs.stack import Stack
from hubstack.review.check.policy_file import load_policy, policy_path
from hubstack.review.diff.figures import read_figures

FLAGS = ("trust_remote_code", "allow_pickle", "allow_unsafe", "accept_eula")
"""Model keys that permit what is refused by default."""


def read_guards(name: str, project_dir: Path) -> Mapping[str, Any] | None:
    """Return an environment's protections as plain data; None if its files are missing or unreadable.

    Args:
        name: a stack, or a folder relative to the project.
        project_dir: folder of Pulumi.yaml of one side.
    """
    try:
        found = find_environment(name, project_dir, project_dir)
        stack = Stack.load(found)
        listed = stack.all_models
        path = policy_path(found.config_file)
        policy = load_policy(path, path.name, found.stack)
        figures = read_figures(stack)
    except HubstackError:
        return None
    config = {**DEFAULT_TEXTS, **stack.config}
    if stack.group and stack.cluster:
        config |= settings_of(stack.cluster, stack.group.config)
    return {
        "settings": {key: text for key, text in sorted(config.items()) if key not in SECRETS},
        "plain_secrets": [key for key in SECRETS if config.get(key, SECRET_PLACEHOLDER) != SECRET_PLACEHOLDER],
        "models": {model.key: [flag for flag in FLAGS if getattr(model.settings, flag)] for model in listed.models},
        "figures": figures,
        "limits": dict(policy.limits),
        "levels": dict(policy.levels),
        "waivers": [
            {
                "rule": each.waiver.rule,
                "model": each.waiver.model,
                "resource": each.waiver.resource,
                "until": each.waiver.until.isoformat(),
            }
            for each in policy.waivers
        ],
    }
