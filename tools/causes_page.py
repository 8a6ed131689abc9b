# SPDX-License-Identifier: Apache-2.0
"""The page "My model does not start", from the causes that `hubstack doctor` knows."""

from hubstack.files.escape import markdown_code
from hubstack.review.doctor.causes import Cause, causes

_HEAD = """\
# My model does not start

<!-- Written by `./dev gen` from hubstack/review/doctor/causes.yaml. -->

`hubstack doctor` reads the pods, events, logs and ComputeClasses of a stack with `kubectl`, and names the cause
in the words of the plan, with the key to change. It changes nothing.

```sh
gcloud container clusters get-credentials hubstack-dev --region us-central1 --dns-endpoint
./dev doctor dev
./dev doctor dev qwen3-8b --json
```

The exit code is 1 if something is wrong, 0 if every model is ready, starting, or at zero replicas on purpose.
If an engine ran out of memory, its figures are shown next to the plan's, and the term that ran out is
named: weights, activation, graphs or KV cache ([sizing](../concepts/sizing.md)).

If `kubectl` reaches the cluster only from another machine, write a folder there and read it here. Environment
variables of containers are left out of it, and what looks like a token or key is replaced, in the folder as in
everything that is printed. A log may still quote something private: look at it before you send it.

```sh
./dev doctor dev --save state
./dev doctor dev --from state
```

A model that starts but answers wrongly is found by [`hubstack smoke`](smoke.md). Weights are loaded by a Job of
their own, whose log is read too.

## The causes

`doctor` reports the first cause whose text it finds, in this order. Events of a step that the pod has passed are
ignored: a stock-out of an hour ago does not explain a crash now.
"""
_TAIL = """\
## The cause is unknown

`doctor` then prints the last lines of the log. If a text of an engine is missing here, open an issue with that
text: a cause is a row in `hubstack/review/doctor/causes.yaml`, with the source of its example.
"""


def causes_page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(cause) for cause in causes()), _TAIL])


def _section(cause: Cause) -> str:
    source = cause.source if "/" not in cause.source or "://" in cause.source else f"`{cause.source}`"
    if " " in cause.source:
        source = cause.source
    title = cause.title[0].upper() + cause.title[1:]
    said = f"{cause.means}\n\n**What to do**: {cause.do}"
    example = markdown_code(cause.example)
    return f"### {title}\n\n{said}\n\nFor example ({source}): {example}\n"
