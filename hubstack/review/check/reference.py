# SPDX-License-Identifier: Apache-2.0
"""Generates the reference page and JSON Schema of policy.yaml.

Owns the layout. Does not own the texts: they come from the schema and the rule catalogue.
"""

import json

from pydantic import BaseModel

from hubstack.review.check.policy_schema import Limits, PolicyFile, Waiver
from hubstack.review.check.rules import Rule, catalogue, defaults

HEAD = """# policy.yaml

<!-- Written by `./dev gen` from hubstack/review/check; do not edit. -->

The rules that `hubstack check` and the policy pack apply to a stack; see [policy](../concepts/policy.md).
Place the file next to `Pulumi.<stack>.yaml`. Without it, the defaults apply.

```yaml
# yaml-language-server: $schema=../docs/reference/policy.schema.json
licenses: [apache-2.0, mit]
regions: [us-central1]
waivers:
  - rule: HS004
    model: old-reranker
    owner: ada@example.com
    until: 2027-01-31
    why: the publisher has no safetensors yet; files were scanned on 2026-11-20
environments:
  prod:
    max_usd_per_month: 12000
```
"""
_JUDGES = {
    "plan": "`hubstack check` (list, lock and plan)",
    "graph": "the policy pack (registered resources)",
}


_SUBJECTS = {"model": "model: KEY, ", "resource": "resource: NAME, "}


def schema_text() -> str:
    """Return the JSON Schema as sorted, indented text."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hubstack policy",
        **PolicyFile.model_json_schema(mode="validation"),
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def page_text() -> str:
    """Return the reference page."""
    own = [name for name in PolicyFile.model_fields if name not in Limits.model_fields]
    parts = [
        HEAD,
        _keys(
            "Keys (all except `environments` are also allowed under an environment)",
            PolicyFile,
            [*Limits.model_fields, *own],
        ),
        _keys("A waiver", Waiver, list(Waiver.model_fields)),
        _defaults(),
        "## Rules\n",
        *(_rule(rule) for rule in catalogue().values()),
    ]
    return "\n".join(parts)


def _keys(title: str, model: type[BaseModel], fields: list[str]) -> str:
    rows = ["| key | description |", "| --- | --- |"]
    for name in fields:
        text = " ".join((model.model_fields[name].description or "").split())
        rows.append(f"| `{name}` | {text} |")
    return f"## {title}\n\n" + "\n".join(rows) + "\n"


def _defaults() -> str:
    rows = [
        f"| `{key}` | {'no limit' if value is None else ', '.join(value)} |" for key, value in defaults().items()
    ]
    return "## Defaults\n\n| key | value |\n| --- | --- |\n" + "\n".join(rows) + "\n"


def _rule(rule: Rule) -> str:
    whose = " and ".join(_JUDGES[judge] for judge in rule.judges)
    setting = f" Setting: `{rule.setting}`." if rule.setting else ""
    waive = f"`{{rule: {rule.id}, {_SUBJECTS.get(rule.about, '')}owner: ..., until: ..., why: ...}}`"
    return (
        f"### {rule.id} {rule.name}\n\n{rule.what} {rule.why}\n\n"
        f"- Fix: {rule.fix}\n- Level: {rule.level}.{setting}\n- Checked by: {whose}.\n- Waive: {waive}\n"
    )
