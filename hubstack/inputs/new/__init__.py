# SPDX-License-Identifier: Apache-2.0
"""`hubstack new`: a repository of the user's own, with hubstack as a dependency."""

from hubstack.inputs.new.recipes import Recipe
from hubstack.inputs.new.repository import ENVIRONMENTS, NewProject, lock_packages, project_of, written

__all__ = ["ENVIRONMENTS", "NewProject", "Recipe", "lock_packages", "project_of", "written"]
