# SPDX-License-Identifier: Apache-2.0
"""Loads the templates of HTML pages: all text is escaped, and an undefined name is an error."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from hubstack.files.terminal import shown_in_page


@cache
def page_template(package: str, name: str) -> Template:
    """Return a template.

    Args:
        package: the package whose folder holds the file.
        name: the file.
    """
    environment = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown_in_page,
    )
    return environment.get_template(name)
