# SPDX-License-Identifier: Apache-2.0
"""docs/reference/library.md: what `import pulumi_hubstack` offers, from signatures and docstrings."""

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any, cast

import pulumi
import pulumi_hubstack

HEAD = """# The library

<!-- Written by `./dev gen` from components/pulumi_hubstack; do not edit. -->

`pulumi_hubstack` is for Pulumi programs of your own. What this page names is stable within a major version; every
other module is private. A program that is one fleet needs two lines:

```python
import pulumi_hubstack

pulumi_hubstack.run()
```

Beside resources of your own, register the fleet and use its outputs. A Pulumi stack holds one fleet, because the
names of its resources contain the stack's name:

```python
import pulumi
import pulumi_gcp as gcp
from pulumi_hubstack import Fleet, FleetArgs, plan_stack

fleet = Fleet.from_stack()  # settings of the stack, its list and lock
app = gcp.cloudrunv2.Service("app", ..., opts=pulumi.ResourceOptions(depends_on=[fleet]))
pulumi.export("chat", fleet.endpoints["qwen3-8b"])
```

Settings can also be made in code, and the plan looked at before anything is registered:

```python
plan = plan_stack({"gcp:project": project, "gcp:region": "us-central1"})
if plan.cost.usd_per_month_max < 5000:
    Fleet("fleet", FleetArgs(plan=plan))
```

## Other languages

`plugin/` is a source-based Pulumi plug-in with one component, `hubstack:index:ModelStack`. After
`pulumi package add` of that folder, or of the repository with `/plugin` and a tag, any language can declare it:

```yaml
resources:
  models:
    type: hubstack:index:ModelStack
    properties:
      folder: ${pulumi.cwd}
      settings:
        gcp:project: my-project
        gcp:region: us-central1
        hubstack:models: chat.models.yaml
outputs:
  endpoints: ${models.endpoints}
```

Lock the list first: `hubstack lock` in a project, or the lock of another environment. In the proof lane the real
Pulumi CLI extracts this component's schema, and its engine constructs it for a Python program that declares it as a
remote component; a program in another language was not run.
"""


def page_text() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(_entry(name, getattr(pulumi_hubstack, name)) for name in pulumi_hubstack.__all__)])


def _entry(name: str, of: Any) -> str:
    if not inspect.isclass(of):
        return f"## `{name}{_signature(of)}`\n\n{_text(of)}\n"
    methods = [
        f"- `{each}{_signature(method)}`: {_first(method)}"
        for each, method in vars(of).items()
        if not each.startswith("_") and (inspect.isfunction(method) or isinstance(method, classmethod))
    ]
    token = getattr(inspect.getmodule(of), "TOKEN", "") if issubclass(of, pulumi.ComponentResource) else ""
    parts = [f"## `{name}`", _text(of) + (f" Type token `{token}`." if token else "")]
    if rows := _fields(of):
        parts.append("\n".join(["| field | type | description |", "| --- | --- | --- |", *rows]))
    if methods:
        parts.append("\n".join(methods))
    return "\n\n".join(parts) + "\n"


def _fields(of: type) -> list[str]:
    """Return a row for each annotated field; its description is the string below it."""
    tree = cast("ast.ClassDef", _parsed(of))
    rows: list[str] = []
    for node, after in pairwise([*tree.body, ast.Pass()]):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = " ".join(str(after.value.value).split())
        default = f" Default: `{ast.unparse(node.value)}`." if node.value is not None else ""
        kind = ast.unparse(node.annotation).replace("|", "\\|")
        rows.append(f"| `{node.target.id}` | `{kind}` | {text}{default} |")
    return rows


def _parsed(of: Any) -> ast.stmt:
    return ast.parse(textwrap.dedent(inspect.getsource(of))).body[0]


def _function(of: Any) -> Any:
    return of.__func__ if isinstance(of, classmethod) else of


def _signature(of: Any) -> str:
    tree = cast("ast.FunctionDef", _parsed(_function(of)))
    own = [each for each in tree.args.args if each.arg not in {"self", "cls"}]
    tree.args.args = own
    return f"({ast.unparse(tree.args)})"


def _first(of: Any) -> str:
    return _text(of).split("\n\n")[0]


def _text(of: Any) -> str:
    """Return a docstring as Markdown; sections such as Args become lists."""
    parts: list[str] = []
    for block in (inspect.getdoc(_function(of)) or "").split("\n\n"):
        head, *rest = block.splitlines()
        if head in {"Args:", "Raises:"} and rest:
            lines = textwrap.dedent("\n".join(rest)).replace("\n    ", " ").splitlines()
            parts.append("\n".join(f"- `{each.split(': ', 1)[0]}`: {each.split(': ', 1)[1]}" for each in lines))
        else:
            parts.append(" ".join(block.split()))
    return "\n\n".join(parts)
