# SPDX-License-Identifier: Apache-2.0
"""`hubstack diff`: run both sides, compare, write what was asked for.

Owns the files that are written and the exit code: 0 fine, 1 a gate stopped it, 2 a side failed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from hubstack.files.write import write_text_atomically
from hubstack.review.diff import Change, compare, tripped
from hubstack.review.diff.base_head import read_versions
from hubstack.review.diff.gates import Tripped
from hubstack.review.diff.git import find_commit, names_at
from hubstack.review.diff.render import Report, html_text, markdown_text, report, terminal_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """A change, its report, and the gates that it trips."""

    change: Change
    report: Report
    stopped: tuple[Tripped, ...]

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command."""
        if self.change.failures:
            return 2
        return int(bool(self.stopped or self.change.money.over_budget))

    def terminal(self) -> Iterable[RenderableType]:
        """Return the terminal output."""
        return terminal_parts(self.report)

    def write(self, *, markdown: Path | None, html: Path | None, link: str | None) -> list[str]:
        """Write the requested files; return one line per file."""
        texts: dict[Path, str] = {}
        if markdown:
            texts[markdown] = markdown_text(self.report, link)
        if html:
            texts[html] = html_text(self.change, self.report)
        for path, text in texts.items():
            write_text_atomically(path, text)
        return [f"wrote {path}" for path in texts]


def run_diff(  # noqa: PLR0913  what the command line has
    env: str,
    project_dir: Path,
    against: str | None,
    quota: Path | None,
    gates: tuple[str, ...],
    base_file: Path | None = None,
    *,
    release: str | None = None,
    label: str | None = None,
) -> Diff:
    """Run both versions and compare them.

    Args:
        env: a stack, or a folder as seen from here or from the project.
        project_dir: folder that contains Pulumi.yaml.
        against: a git reference, or None.
        quota: a quota file.
        gates: what `hubstack.review.diff.read_gates` returned.
        base_file: a file of `--save`, instead of a git reference.
        release: an earlier hubstack, instead of a git reference.
        label: key of a label to split the costs by.
    """
    name = resolve_name(project_dir, env)
    versions = read_versions(name, project_dir, against, quota, base_file, release=release)
    change = compare(name, versions, label=label)
    stopped = () if change.failures else tripped(change, gates)
    return Diff(change=change, report=report(change, stopped), stopped=stopped)


def removed_clusters(config_file: Path, project_dir: Path, against: str | None) -> list[str]:
    """Return the keys of clusters that exist only in the base version."""
    before, prefix = names_at(config_file.parent, find_commit(project_dir, against)), f"{config_file.stem}-"
    return [
        name.removeprefix(prefix).removesuffix(".yaml")
        for name in before
        if name.startswith(prefix) and name.endswith(".yaml") and not config_file.with_name(name).exists()
    ]


def resolve_name(project_dir: Path, env: str) -> str:
    """Return an environment's name as valid in both versions: a folder relative to the project."""
    here = (Path.cwd() / env).resolve()
    is_stack = (project_dir / "stacks" / f"Pulumi.{env}.yaml").is_file()  # a folder of its name hides no stack
    is_folder = here.is_dir() and here.is_relative_to(project_dir) and here != project_dir and not is_stack
    return here.relative_to(project_dir).as_posix() if is_folder else env
