# SPDX-License-Identifier: Apache-2.0
"""Reads the sources of a wheel without running them.

Owns the parsing and a small evaluator of literal expressions. Does not own where an engine keeps its facts. Raises
`UnknownValueError` for what it cannot evaluate, so that a restructured release is noticed.
"""

import ast
import hashlib
import operator
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

Scope = Mapping[str, Any]
_COMPARE = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


class UnknownValueError(ValueError):
    """An expression that cannot be evaluated without running the code."""


class Wheel:
    """The wheel of a package."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self.name = path.name
        self.package, self.version = path.name.split("-")[:2]
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._parsed: dict[str, ast.Module] = {}
        self._classes: dict[str, dict[str, ast.ClassDef]] = {}

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Return every Python file, sorted."""
        return tuple(sorted(name for name in self._zip.namelist() if name.endswith(".py")))

    def under(self, folder: str) -> Iterator[str]:
        """Yield the Python files in a folder and its subfolders."""
        return (path for path in self.paths if path.startswith(folder))

    def text(self, path: str) -> str:
        """Return the text of a file in the wheel."""
        return self._zip.read(path).decode()

    def requires(self, package: str) -> str:
        """Return the metadata's requirement on another package; empty if there is none."""
        metadata = next(name for name in self._zip.namelist() if name.endswith(".dist-info/METADATA"))
        for line in self._zip.read(metadata).decode().splitlines():
            if line.startswith(f"Requires-Dist: {package}") and "extra" not in line:
                return line.removeprefix(f"Requires-Dist: {package}").strip()
        return ""

    def words(self, prefix: str) -> set[str]:
        """Return the string literals that begin with a prefix and are otherwise a name."""
        literal = re.compile(rf"[\"']({re.escape(prefix)}[a-z0-9_]+)[\"']")
        return {word for path in self.paths for word in literal.findall(self.text(path))}

    def tree(self, path: str) -> ast.Module:
        """Return the syntax tree of a file."""
        if path not in self._parsed:
            self._parsed[path] = ast.parse(self._zip.read(path))
        return self._parsed[path]

    def classes(self, path: str) -> dict[str, ast.ClassDef]:
        """Return the classes of a file by name, including nested ones."""
        if path not in self._classes:
            found = (node for node in ast.walk(self.tree(path)) if isinstance(node, ast.ClassDef))
            self._classes[path] = {node.name: node for node in found}
        return self._classes[path]

    def expression(self, path: str, name: str) -> ast.expr:
        """Return the expression first assigned to a name, at any level of a file."""
        for node in ast.walk(self.tree(path)):
            if assigned(node) == name and (value := getattr(node, "value", None)) is not None:
                return value
        raise UnknownValueError(f"{path} does not assign `{name}`")

    def value(self, path: str, name: str, scope: Scope | None = None) -> Any:
        """Return the value first assigned to a name in a file."""
        return evaluate(self.expression(path, name), scope or {}, lambda other: self.value(path, other, scope))


def assigned(node: ast.AST) -> str:
    """Return the name that a statement assigns; empty if none."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return getattr(node.targets[0], "id", "")
    return getattr(node.target, "id", "") if isinstance(node, ast.AnnAssign) else ""


def attribute(cls: ast.ClassDef, name: str) -> ast.expr | None:
    """Return the expression assigned to a name in a class body, or None."""
    return next((getattr(node, "value", None) for node in cls.body if assigned(node) == name), None)


def method(cls: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    """Return a method defined in the class itself, or None."""
    found = (node for node in cls.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return next(found, None)


def returned(function: ast.FunctionDef) -> ast.expr:
    """Return the last expression that a function returns."""
    found = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
    if not found:
        raise UnknownValueError(f"{function.name} returns nothing")
    return found[-1]


def evaluate(node: ast.expr, scope: Scope, look_up: Any = None) -> Any:
    """Return the value of an expression of literals, names and comparisons.

    Args:
        node: the expression.
        scope: values and functions of names.
        look_up: called for names that are not in the scope.
    """
    again = lambda part, names=scope: evaluate(part, names, look_up)  # noqa: E731
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in scope:
            return scope[name]
        case ast.Name(id=name) if look_up is not None:
            return look_up(name)
        case ast.List(elts=parts) | ast.Set(elts=parts):
            return _items(parts, again)
        case ast.Tuple(elts=parts):
            return tuple(_items(parts, again))
        case ast.Dict(keys=keys, values=values):
            made: dict[Any, Any] = {}
            for key, value in zip(keys, values, strict=True):
                made |= {again(key): _or_text(value, again)} if key is not None else again(value)
            return made
        case ast.IfExp(body=body):
            return again(body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return {**again(left), **again(right)}
        case ast.BoolOp(op=ast.And(), values=values):
            return all(again(value) for value in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(again(value) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            sides = [again(left), *(again(part) for part in rest)]
            return all(_COMPARE[type(op)](sides[i], sides[i + 1]) for i, op in enumerate(ops))
        case ast.Attribute(value=value, attr=attr):
            return getattr(again(value), attr)
        case ast.Call(func=ast.Name(id="OrderedDict" | "dict" | "LazyConfigDict"), args=args, keywords=words):
            return _mapping(args, words, again)
        case ast.Call(func=ast.Subscript(), args=args, keywords=words):
            return _mapping(args, words, again)
        case ast.Call(func=ast.Name(id="frozenset" | "set" | "list" | "tuple"), args=[only]):
            return list(again(only))
        case ast.Call(func=ast.Name(id=name), args=args) if name in scope:
            return scope[name](*(again(part) for part in args))
        case ast.Call(func=ast.Attribute(value=value, attr="items"), args=[]):
            return again(value).items()
        case ast.DictComp(key=key, value=value, generators=[loop]):
            return {
                again(key, inner): again(value, inner)
                for inner in _loop(loop, scope, again)
                if all(again(condition, inner) for condition in loop.ifs)
            }
    raise UnknownValueError(f"line {getattr(node, 'lineno', '?')}: {ast.unparse(node)[:80]}")


def _or_text(node: ast.expr, again: Any) -> Any:
    """Return a value, or the source text if it only names something (a class of a registry)."""
    try:
        return again(node)
    except (UnknownValueError, AttributeError):
        return ast.unparse(node)


def _items(parts: list[ast.expr], again: Any) -> list[Any]:
    made: list[Any] = []
    for part in parts:
        if isinstance(part, ast.Starred):
            made += again(part.value)
        else:
            made.append(_or_text(part, again))
    return made


def _mapping(args: list[ast.expr], words: list[ast.keyword], again: Any) -> dict[str, Any]:
    made: dict[str, Any] = dict(again(args[0])) if args else {}
    for word in words:
        made |= {word.arg: _or_text(word.value, again)} if word.arg else again(word.value)
    return made


def _loop(loop: ast.comprehension, scope: Scope, again: Any) -> Iterator[dict[str, Any]]:
    for item in again(loop.iter):
        bound: dict[str, Any] = dict(scope)
        _bind(loop.target, item, bound)
        yield bound


def _bind(target: ast.expr, item: Any, bound: dict[str, Any]) -> None:
    if isinstance(target, ast.Name):
        bound[target.id] = item
    elif isinstance(target, ast.Tuple):
        for part, value in zip(target.elts, item, strict=True):
            _bind(part, value, bound)
