# SPDX-License-Identifier: Apache-2.0
"""The Cloud Run service of one model: one GPU per instance, and no instance while idle.

Every change of the template creates a new revision. Callers always need the invoker role: access is never granted
to everyone, and the IAM check is never disabled. Zonal redundancy is off, because a project's initial quota covers
only GPUs without it (Cloud Run docs, "GPU support for services").
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.deploy import cloud_run_names, manifests
from hubstack.kinds import Ingress
from hubstack.names import MODEL_DIR
from hubstack.plan import ModelPlan
from hubstack.plan.managed import CloudRunPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._options import child

TOKEN = "hubstack:cloud_run_service:CloudRunService"  # noqa: S105  a type token
INGRESS = {
    Ingress.INTERNAL: "INGRESS_TRAFFIC_INTERNAL_ONLY",
    Ingress.LOAD_BALANCER: "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
    Ingress.ALL: "INGRESS_TRAFFIC_ALL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunServiceArgs:
    """Inputs of a Cloud Run service."""

    target: TargetPlan
    model: ModelPlan
    run: CloudRunPlan
    """Of the model."""
    account_email: pulumi.Input[str]
    bucket_name: pulumi.Input[str]
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the weights."""


class CloudRunService(pulumi.ComponentResource):
    """A Cloud Run service and its invoker grants."""

    uri: pulumi.Output[str]

    def __init__(self, name: str, args: CloudRunServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        target, run = args.target, args.run
        service = gcp.cloudrunv2.Service(
            f"{name}-service",
            name=cloud_run_names.service_name(args.target, args.model),
            location=target.region,
            ingress=INGRESS[run.ingress],
            invoker_iam_disabled=False,
            # Single models may be removed from the list; `Protection` guards the whole stack.
            deletion_protection=False,
            labels=cloud_run_names.labels(args.target, args.model),
            annotations=manifests.judged(args.model),
            binary_authorization=gcp.cloudrunv2.ServiceBinaryAuthorizationArgs(use_default=True)
            if target.binary_authorization
            else None,
            template=_template(args),
            opts=child(
                self,
                depends_on=list(args.after),
                # The first revision is ready when an instance has loaded the model.
                custom_timeouts=pulumi.CustomTimeouts(create="1h", update="1h"),
            ),
        )
        for member in run.invokers:
            gcp.cloudrunv2.ServiceIamMember(
                f"{name}-invoker-{names.short_hash(member, length=6)}",
                name=service.name,
                location=target.region,
                role="roles/run.invoker",
                member=member,
                opts=child(self),
            )
        self.uri = service.uri
        self.register_outputs({"uri": self.uri})


def _template(args: CloudRunServiceArgs) -> "gcp.cloudrunv2.ServiceTemplateArgs":
    run, model = args.run, args.model
    sdk = gcp.cloudrunv2
    return sdk.ServiceTemplateArgs(
        service_account=args.account_email,
        encryption_key=args.target.kms_key,
        execution_environment="EXECUTION_ENVIRONMENT_GEN2",
        gpu_zonal_redundancy_disabled=True,
        node_selector=sdk.ServiceTemplateNodeSelectorArgs(accelerator=run.accelerator),
        max_instance_request_concurrency=run.concurrency,
        timeout=f"{run.timeout_seconds}s",
        scaling=sdk.ServiceTemplateScalingArgs(
            min_instance_count=model.replicas.min, max_instance_count=model.replicas.max
        ),
        labels=cloud_run_names.labels(args.target, model),
        containers=[_container(args)],
        volumes=[
            sdk.ServiceTemplateVolumeArgs(
                name="weights",
                # Cloud Run accepts few gcsfuse options: neither `only-dir` nor the cache options (found rejected in
                # a project, 2026-11-25; `sub_path` was not seen used with buckets).
                gcs=sdk.ServiceTemplateVolumeGcsArgs(
                    bucket=args.bucket_name, read_only=True, mount_options=["implicit-dirs"]
                ),
            )
        ],
    )


def _container(args: CloudRunServiceArgs) -> "gcp.cloudrunv2.ServiceTemplateContainerArgs":
    run, server, sdk = args.run, args.model.server, gcp.cloudrunv2
    startup, liveness = server.startup, server.liveness
    return sdk.ServiceTemplateContainerArgs(
        image=server.image,
        commands=list(server.command),
        args=list(server.args),
        envs=[sdk.ServiceTemplateContainerEnvArgs(name=name, value=value) for name, value in server.env],
        ports=sdk.ServiceTemplateContainerPortsArgs(container_port=server.port),
        resources=sdk.ServiceTemplateContainerResourcesArgs(
            limits={
                "cpu": str(run.vcpu),
                "memory": f"{run.memory_gib}Gi",
                server.accelerator_resource: str(server.accelerator_count),
            },
            # GPUs require CPU that is always allocated.
            cpu_idle=False,
            startup_cpu_boost=True,
        ),
        startup_probe=sdk.ServiceTemplateContainerStartupProbeArgs(
            http_get=sdk.ServiceTemplateContainerStartupProbeHttpGetArgs(path=startup.path, port=startup.port),
            period_seconds=run.startup_period_seconds,
            failure_threshold=run.startup_failure_threshold,
            timeout_seconds=5,
        ),
        liveness_probe=sdk.ServiceTemplateContainerLivenessProbeArgs(
            http_get=sdk.ServiceTemplateContainerLivenessProbeHttpGetArgs(path=liveness.path, port=liveness.port),
            period_seconds=liveness.period_seconds,
            failure_threshold=liveness.failure_threshold,
            timeout_seconds=5,
        ),
        volume_mounts=[sdk.ServiceTemplateContainerVolumeMountArgs(name="weights", mount_path=MODEL_DIR)],
    )
