# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the Helm charts that a stack installs: no chart repository can be reached.

Helm takes a folder of the chart's name before it asks a repository, and the provider runs in the program's folder.
A stand-in holds the values that it is given, so that another value is an upgrade; it installs no controller.
"""

from pathlib import Path

import yaml

_TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-values
  namespace: {{ .Release.Namespace }}
data:
  values: {{ .Values | toJson | quote }}
"""


def write_chart(folder: Path, chart: str, version: str) -> None:
    """Write a chart where the provider looks for it.

    Args:
        folder: in which the program runs.
        chart: name, or address in a registry.
        version: which the release asks for.
    """
    target = folder / chart
    (target / "templates").mkdir(parents=True, exist_ok=True)
    said = {"apiVersion": "v2", "name": chart.rpartition("/")[2], "version": version}
    (target / "Chart.yaml").write_text(yaml.safe_dump(said))
    (target / "templates" / "values.yaml").write_text(_TEMPLATE)
