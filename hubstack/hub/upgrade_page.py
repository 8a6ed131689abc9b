# SPDX-License-Identifier: Apache-2.0
"""Renders the changes between two locks as a Markdown page for a pull request.

Owns what a reviewer of an upgrade sees. Does not own which models are upgraded (`hubstack.hub.remote.locking`).
Paths, license names and scan results are untrusted: they are rendered as code spans, where Markdown has no effect.
"""

from collections.abc import Iterable, Iterator, Mapping

from hubstack.files.escape import markdown_code as code
from hubstack.hub.facts import ModelFacts
from hubstack.hub.file_changes import FileChange, TemplateMove, changed_files, template_change
from hubstack.inputs.hub_names import DEFAULT_REVISION

MAX_FILES = 40
"""Maximum files shown per model; the rest are counted. A pull request description has at most 65,536 characters."""
_SHOWN = 12


def upgrade_page(
    before: Iterable[ModelFacts], after: Iterable[ModelFacts], keys: Mapping[tuple[str, str], Iterable[str]]
) -> str:
    """Return the changes between two locks as Markdown.

    Args:
        before: the models in the old lock.
        after: the models in the new lock.
        keys: (requested ID, revision) to the keys of the models that use it.
    """
    old, new = ({(f.asked_id or f.id, f.revision): f for f in facts} for facts in (before, after))
    moved = [pair for pair in sorted(new) if pair in old and old[pair].commit != new[pair].commit]
    said = [
        pair
        for pair in sorted(new)
        if pair in old and old[pair].commit == new[pair].commit and list(_said_lines(old[pair], new[pair]))
    ]
    added, dropped = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    lines = ["# What the Hub changed", "", _sentence(len(moved), len(said), len(added), len(dropped))]
    for pair in moved:
        lines += ["", *_moved_lines(_title(pair, keys), old[pair], new[pair])]
    for pair in said:
        lines += ["", f"## {_title(pair, keys)}", "", f"At the same commit {code(new[pair].commit[:_SHOWN])}:", ""]
        lines += _said_lines(old[pair], new[pair])
    for pair in added:
        lines += ["", f"## {_title(pair, keys)}", "", f"New, at {code(new[pair].commit[:_SHOWN])}:", ""]
        lines += _new_lines(new[pair])
    if dropped:
        lines += ["", "## No longer in the list", "", *(f"- {_title(pair, keys)}" for pair in dropped)]
    return "\n".join(lines) + "\n"


def _sentence(moved: int, said: int, added: int, dropped: int) -> str:
    parts = [
        (moved, "moved to another commit"),
        (said, "new facts at the same commit"),
        (added, "new"),
        (dropped, "dropped"),
    ]
    shown = [f"{count} {what}" for count, what in parts if count]
    return f"Models: {', '.join(shown)}." if shown else "Nothing changed."


def _title(pair: tuple[str, str], keys: Mapping[tuple[str, str], Iterable[str]]) -> str:
    repo_id, revision = pair
    at = "" if revision == DEFAULT_REVISION else f" at {code(revision)}"
    names = [name for name in sorted(keys.get(pair, ())) if name != repo_id]
    used = f" ({', '.join(code(name) for name in names)})" if names else ""
    return f"{code(repo_id)}{at}{used}"


def _moved_lines(title: str, before: ModelFacts, after: ModelFacts) -> Iterator[str]:
    yield from (f"## {title}", "")
    yield f"{code(before.commit[:_SHOWN])} → {code(after.commit[:_SHOWN])}"
    yield from ("", *(list(_said_lines(before, after)) or ["- licence, gate, custom code and scan: unchanged"]))
    files = changed_files(before.files, after.files)
    yield f"- chat template: {_template(before, after, files)}"
    if not before.files or not after.files:
        yield "- files: the Hub listed none at one of the commits, so what changed is unknown"
    elif not files:
        yield "- files: the same"
    else:
        yield from ("", "| file | | before | after |", "| --- | --- | ---: | ---: |")
        yield from (_row(file) for file in files[:MAX_FILES])
        if len(files) > MAX_FILES:
            yield from ("", f"and {len(files) - MAX_FILES} more files.")


def _row(file: FileChange) -> str:
    sizes = (file.before_bytes, file.after_bytes)
    shown = ["" if size is None else f"{size:,}" for size in sizes]
    return f"| {code(file.path, in_table=True)} | {file.move} | {shown[0]} | {shown[1]} |"


def _said_lines(before: ModelFacts, after: ModelFacts) -> Iterator[str]:
    """Yield the changes in a model's license, gate, custom code, scan and task."""
    if _license(before) != _license(after):
        yield f"- **licence**: {_license(before)} → {_license(after)}"
    if before.gated != after.gated:
        yield f"- **gate**: {_gate(before)} → {_gate(after)}"
    if after.custom_code != before.custom_code:
        yield f"- **custom code**: {'added' if after.custom_code else 'removed'}"
    if before.security != after.security:
        yield f"- **security scan**: {_scan(before)} → {_scan(after)}"
    if before.pipeline_tag != after.pipeline_tag:
        yield f"- **task**: {code(before.pipeline_tag or 'none')} → {code(after.pipeline_tag or 'none')}"


def _new_lines(facts: ModelFacts) -> Iterator[str]:
    yield f"- licence: {_license(facts)}"
    yield f"- gate: {_gate(facts)}"
    yield f"- custom code: {'yes' if facts.custom_code else 'no'}"
    yield f"- security scan: {_scan(facts)}"
    if facts.files:
        total = sum(file.size_bytes for file in facts.files)
        yield f"- files: {len(facts.files)}, {total:,} bytes"


def _license(facts: ModelFacts) -> str:
    if facts.license is None:
        return "none given"
    return code(facts.license) + (f" ({code(facts.license_name)})" if facts.license_name else "")


def _gate(facts: ModelFacts) -> str:
    return f"gated ({code(facts.gated)})" if facts.gated else "open"


def _scan(facts: ModelFacts) -> str:
    if facts.security.issues:
        return ", ".join(f"{code(path)} {code(level)}" for path, level in sorted(facts.security.issues.items()))
    return {None: "not reported", True: "clean", False: "not done yet"}[facts.security.scans_done]


def _template(before: ModelFacts, after: ModelFacts, files: Iterable[FileChange]) -> str:
    if not before.files or not after.files:
        return "unknown"
    move, paths = template_change(files)
    shown = ", ".join(code(path) for path in paths)
    return {
        TemplateMove.CHANGED: f"**changed** ({shown})",
        TemplateMove.MAYBE: f"may have changed: {shown} did, and can hold one",
        TemplateMove.UNKNOWN: "unknown: no hash of its file",
        TemplateMove.SAME: "as before",
    }[move]
