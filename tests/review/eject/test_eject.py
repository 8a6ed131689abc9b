# SPDX-License-Identifier: Apache-2.0
"""The ejected program registers what the original does, but the components; aliases tell that they are the same.

Both are run by the offline preview, so a value that only Google knows is unknown in both. No engine has run it.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from hubstack.files.errors import PreviewError
from hubstack.inputs.environment import find_environment
from hubstack.inputs.stack import Stack
from hubstack.review.eject import ejected_files
from hubstack.review.eject.program import program_files
from hubstack.review.preview import Graph, Resource, preview
from hubstack.review.preview.trace import trace
from tests.support.golden import EXAMPLES, PROJECT, environment

pytestmark = pytest.mark.slow

Row = tuple[str, str]


class Both:
    """One example, and what it is ejected to."""

    def __init__(self, example: str, folder: Path) -> None:
        env = environment(example)
        self.before = preview(env.project_dir, stack=env.stack, config=env.config_file)
        self.files = ejected_files(Stack.load(env), self.before)
        for path, text in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        program = folder / "program"
        self.after = preview(program, stack=env.stack, config=program / f"Pulumi.{env.stack}.yaml")


@pytest.fixture(scope="module", params=EXAMPLES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(request.param, tmp_path_factory.mktemp("ejected"))


def row(urn: str) -> Row:
    """Return type and name, which are the same with and without parents."""
    _, _, qualified, name = urn.split("::", 3)
    return qualified.split("$")[-1], name


def custom(graph: Graph) -> dict[Row, Resource]:
    found = {row(resource.urn): resource for resource in graph.resources if resource.custom}
    assert len(found) == sum(resource.custom for resource in graph.resources)
    return found


def rows(urns: Iterable[str], graph: Graph) -> set[Row]:
    held = {resource.urn for resource in graph.resources if resource.custom}
    return {row(urn) for urn in urns if urn in held}


def test_every_resource_is_there_and_no_other_and_no_component(both: Both) -> None:
    assert custom(both.before).keys() == custom(both.after).keys()
    assert all(resource.custom for resource in both.after.resources)


def test_inputs_and_options_are_the_same(both: Both) -> None:
    after = custom(both.after)
    for key, resource in custom(both.before).items():
        assert after[key].inputs == resource.inputs, key
        assert after[key].options == resource.options, key


def test_dependencies_and_providers_are_the_same(both: Both) -> None:
    after = custom(both.after)
    for key, resource in custom(both.before).items():
        other = after[key]
        assert rows(other.dependencies, both.after) == rows(resource.dependencies, both.before), key
        before = {name: rows(urns, both.before) for name, urns in resource.property_dependencies.items()}
        now = {name: rows(urns, both.after) for name, urns in other.property_dependencies.items()}
        assert now == {name: found for name, found in before.items() if found}, key
        providers = [each.provider and row(each.provider.rsplit("::", 1)[0]) for each in (resource, other)]
        assert providers[0] == providers[1], key


def test_an_alias_of_each_resource_is_its_old_urn(both: Both) -> None:
    after = custom(both.after)
    for key, resource in custom(both.before).items():
        kind, name = key
        parents = {alias["spec"].get("parentUrn") for alias in after[key].aliases if "spec" in alias}
        old = {f"{parent.rsplit('::', 1)[0]}${kind}::{name}" for parent in parents if parent}
        assert resource.urn in {*old, after[key].urn}, f"{key} would be made anew"


def test_exports_are_the_same_where_a_preview_knows_them(both: Both) -> None:
    assert both.after.outputs.keys() == both.before.outputs.keys()
    for key, value in both.before.outputs.items():
        if "[unknown]" not in str(value):
            assert both.after.outputs[key] == value


def test_the_program_needs_no_hubstack(both: Both) -> None:
    for path, text in both.files.items():
        if path.startswith("program/") and path.endswith(".py") and "/texts/" not in path:
            imported = {
                name.split(".")[0]
                for node in ast.walk(ast.parse(text))
                for name in (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else []
                )
            }
            assert imported <= {"pulumi", "pulumi_gcp", "pulumi_kubernetes", "pathlib", "stack"}, path
    packages = both.files["program/requirements.txt"]
    assert re.findall(r"^([a-z-]+)==\d", packages, re.MULTILINE) == ["pulumi", "pulumi-gcp", "pulumi-kubernetes"]
    assert "hubstackword" not in "".join(both.files.values())


def test_two_ejections_give_the_same_bytes() -> None:
    stack = Stack.load(environment("production"))
    graph = preview(stack.project_dir, stack=stack.name, config=stack.source)
    assert ejected_files(stack, graph) == ejected_files(stack, graph)


def test_the_kubernetes_objects_are_there_without_placeholders(both: Both) -> None:
    objects = {path: yaml.safe_load(text) for path, text in both.files.items() if path.startswith("kubernetes/")}
    wanted = [each for each in both.before.resources if each.type.startswith("kubernetes:")]
    assert len(objects) == len(wanted)
    assert "[unknown]" not in str(objects)


SECRET = """
import pulumi, pulumi_gcp as gcp
google = gcp.Provider("google", project="p")
token = pulumi.Config().require_secret("hfToken")
other = pulumi.Config().require_secret("apiKey")
bucket = gcp.storage.Bucket("b", location="x", opts=pulumi.ResourceOptions(provider=google))
gcp.secretmanager.SecretVersion("v", secret="s", secret_data=pulumi.Output.concat(other, "-", token),
    opts=pulumi.ResourceOptions(provider=google, depends_on=[bucket]))
pulumi.export("url", bucket.url.apply(lambda text: f"{text}/x"))
"""


def small(folder: Path, program: str) -> Path:
    (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (folder / "__main__.py").write_text(program)
    settings = folder / "Pulumi.dev.yaml"
    settings.write_text("config:\n  small:hfToken: {secure: AAABplanted}\n  small:apiKey: {secure: AAABplanted2}\n")
    return settings


def test_a_secret_setting_is_read_by_its_key_and_written_nowhere(tmp_path: Path) -> None:
    found = trace(tmp_path, stack="dev", config=small(tmp_path, SECRET))
    files = program_files(found, "x")
    text = files["stack/google.py"]
    ours = "pulumi.Config('small').require_secret"
    assert f"pulumi.Output.concat({ours}('apiKey'), '-', {ours}('hfToken'))" in text
    assert "planted" not in "".join(files.values())
    assert "pulumi.export('url', pulumi.Output.concat(b.url, '/x'))" in files["__main__.py"]


def test_a_value_that_cannot_be_traced_is_refused_not_guessed(tmp_path: Path) -> None:
    program = SECRET + 'pulumi.export("soft", bucket.time_created.apply(lambda text: text))\n'
    program += 'gcp.storage.Bucket("c", location=bucket.project_number.apply(lambda number: f"{number + 1}"))\n'
    found = trace(tmp_path, stack="dev", config=small(tmp_path, program))
    with pytest.raises(PreviewError, match="cannot be ejected"):
        program_files(found, "x")


RENAMED = """
import pulumi, pulumi_gcp as gcp
class Part(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("x:y:Part", name, None, opts)
        here = pulumi.ResourceOptions(parent=self, provider=google)
        gcp.storage.Bucket(f"{name}-bucket", location="x", opts=here)
google = gcp.Provider("google", project="p")
Part("talk", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="chat")]))
"""


def test_a_rename_that_the_stack_has_not_followed_yet_goes_along(tmp_path: Path) -> None:
    found = trace(tmp_path, stack="dev", config=small(tmp_path, RENAMED))
    text = "".join(program_files(found, "x").values())
    kind = "urn:pulumi:dev::small::x:y:Part"
    former = f"'{kind}$gcp:storage/bucket:Bucket::chat-bucket'"
    assert f"aliases=[pulumi.Alias(parent='{kind}::talk'), {former}]" in text


@pytest.mark.slow
def test_a_record_that_google_names_is_read_from_the_list_of_the_authorization() -> None:
    stack = Stack.load(find_environment("tests/deploy/callers/stack", PROJECT, PROJECT))
    files = ejected_files(stack, preview(stack.project_dir, stack=stack.name, config=stack.source))
    assert "inside(gateway_authorization, 'dns_resource_records', '0', 'name')" in "".join(files.values())
