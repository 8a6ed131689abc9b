# SPDX-License-Identifier: Apache-2.0
"""Artifact Registry remote repositories, through which a stack pulls the images of other registries.

Registered only if the stack asks for them (`hubstack:images: {remote: true}`): one for each registry in use, since
a repository has one upstream. Nodes may read them, and nothing else may. Google docs: "Remote repository overview"
(Artifact Registry), read 2026-12-01.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.deploy.images import RemoteRepository
from hubstack.plan.images import DOCKER_HUB
from pulumi_hubstack._options import child

TOKEN = "hubstack:image_repositories:ImageRepositories"  # noqa: S105  a type token
ROLE = "roles/artifactregistry.reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRepositoriesArgs:
    """Inputs of the repositories."""

    stack: str
    region: str
    repositories: tuple[RemoteRepository, ...]
    node_account_email: pulumi.Input[str] | None
    """Service account of the nodes; None if the stack has no cluster. Cloud Run's own agent reads the repositories
    of its project."""
    kms_key: str | None
    """Key that encrypts the images; None uses Google's keys."""


class ImageRepositories(pulumi.ComponentResource):
    """The repositories and the nodes' access to them."""

    ready: tuple[pulumi.Resource, ...]
    """Resources that pods depend on."""

    def __init__(self, name: str, args: ImageRepositoriesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        ready: list[pulumi.Resource] = []
        for each in args.repositories:
            key = f"{name}-{each.registry.replace('.', '-')}"
            repository = gcp.artifactregistry.Repository(
                key,
                repository_id=each.repository_id,
                location=args.region,
                format="DOCKER",
                mode="REMOTE_REPOSITORY",
                description=f"hubstack {args.stack}: images of {each.registry}",
                remote_repository_config=_upstream(each),
                kms_key_name=args.kms_key,
                opts=child(self),
            )
            ready.append(repository)
            if args.node_account_email is not None:
                reader = gcp.artifactregistry.RepositoryIamMember(
                    f"{key}-nodes",
                    location=args.region,
                    repository=repository.name,
                    role=ROLE,
                    member=pulumi.Output.format("serviceAccount:{0}", args.node_account_email),
                    opts=child(self),
                )
                ready.append(reader)
        self.ready = tuple(ready)
        self.register_outputs({})


def _upstream(each: RemoteRepository) -> gcp.artifactregistry.RepositoryRemoteRepositoryConfigArgs:
    registry = gcp.artifactregistry
    if each.registry == DOCKER_HUB:
        hub = registry.RepositoryRemoteRepositoryConfigDockerRepositoryArgs(public_repository="DOCKER_HUB")
        return registry.RepositoryRemoteRepositoryConfigArgs(description=each.registry, docker_repository=hub)
    common = registry.RepositoryRemoteRepositoryConfigCommonRepositoryArgs(uri=each.upstream)
    return registry.RepositoryRemoteRepositoryConfigArgs(description=each.registry, common_repository=common)
