# SPDX-License-Identifier: Apache-2.0
"""One model deployed from Vertex AI's Model Garden by its Hub ID.

Changing nearly any field replaces the deployment, and the provider reads none back, so it does not detect drift.
There is no field for a commit. The Hub token of a gated model is a plain input of the API, so it is marked secret
here and encrypted in Pulumi's state. Source: terraform-provider-google-beta 7.45.0,
google_vertex_ai_endpoint_with_model_garden_deployment.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.plan import ModelPlan
from hubstack.plan.managed import VertexPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._options import child

TOKEN = "hubstack:vertex_endpoint:VertexEndpoint"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexEndpointArgs:
    """Inputs of a deployment."""

    target: TargetPlan
    model: ModelPlan
    vertex: VertexPlan
    """Of the model."""
    hub_token: pulumi.Input[str] | None = None
    """Secret Hub token; used only for a gated model."""


class VertexEndpoint(pulumi.ComponentResource):
    """A model, endpoint and deployment, which are one resource of the provider."""

    endpoint: pulumi.Output[str]

    def __init__(self, name: str, args: VertexEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        sdk, vertex, replicas = gcp.vertex, args.vertex, args.model.replicas
        token = pulumi.Output.secret(args.hub_token) if vertex.needs_token and args.hub_token is not None else None
        deployment = sdk.AiEndpointWithModelGardenDeployment(
            f"{name}-deployment",
            location=args.target.region,
            hugging_face_model_id=args.model.id,
            # Single models may be removed from the list; `Protection` guards the whole stack.
            deletion_policy="DELETE",
            model_config=sdk.AiEndpointWithModelGardenDeploymentModelConfigArgs(
                model_display_name=names.original_key(args.model),
                accept_eula=vertex.accept_eula,
                hugging_face_access_token=token,
            ),
            endpoint_config=sdk.AiEndpointWithModelGardenDeploymentEndpointConfigArgs(
                endpoint_display_name=names.original_key(args.model), dedicated_endpoint_enabled=True
            ),
            deploy_config=sdk.AiEndpointWithModelGardenDeploymentDeployConfigArgs(
                dedicated_resources=sdk.AiEndpointWithModelGardenDeploymentDeployConfigDedicatedResourcesArgs(
                    machine_spec=sdk.AiEndpointWithModelGardenDeploymentDeployConfigDedicatedResourcesMachineSpecArgs(
                        machine_type=vertex.machine_type,
                        accelerator_type=vertex.accelerator_type,
                        accelerator_count=vertex.accelerator_count,
                    ),
                    min_replica_count=replicas.min,
                    max_replica_count=replicas.max,
                )
            ),
            opts=child(self, custom_timeouts=pulumi.CustomTimeouts(create="3h", update="3h", delete="1h")),
        )
        self.endpoint = deployment.endpoint
        self.register_outputs({"endpoint": self.endpoint})
