# SPDX-License-Identifier: Apache-2.0
"""Copies one model from the Hub to its bucket with a Cloud Run Job.

Runs the same script as the Jobs on GKE. The script, file list and requirements are objects in the model's bucket,
in a folder named by their content: environment variables are too small for long file lists, and they need no
secret.

Pulumi waits for the copy: with a run execution token, the Job is ready when its execution has succeeded. The API
reportedly does not return the token, so each later `pulumi up` would see a difference and run the Job again under a
name that is taken (hashicorp/terraform-provider-google issue 24451, read 2026-11-25); the field is therefore
ignored. Instead the Job's logical name includes a hash of everything it does, so a new commit or script creates a
new Job (docs/concepts/identity.md).
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.deploy import cloud_run_names, manifests
from hubstack.plan import ModelPlan
from hubstack.plan.managed import JobPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._options import child

TOKEN = "hubstack:run_loader:RunLoader"  # noqa: S105  a type token
MOUNT, SCRATCH = "/bucket", "/scratch"
RUN_ONCE = "load"
"""Suffix of the execution; the Job's name identifies the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLoaderArgs:
    """Inputs of a loader."""

    target: TargetPlan
    model: ModelPlan
    job: JobPlan
    account: gcp.serviceaccount.Account
    bucket_name: pulumi.Input[str]
    hub_secret_id: str
    """The Hub token's secret; read only for a gated model."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the bucket with its grants, and the token."""


class RunLoader(pulumi.ComponentResource):
    """The Job and the objects it reads."""

    def __init__(self, name: str, args: RunLoaderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        model, after = args.model, list(args.after)
        digest = cloud_run_names.load_digest(model)
        folder = f".hubstack/{digest}"
        needed: list[pulumi.Resource] = [
            gcp.storage.BucketObject(
                f"{name}-{digest}-{file.partition('.')[0]}",
                bucket=args.bucket_name,
                name=f"{folder}/{file}",
                content=text,
                opts=child(self, depends_on=after),
            )
            for file, text in manifests.loader_texts(model).items()
        ]
        if model.weights.needs_token:
            needed.append(
                gcp.secretmanager.SecretIamMember(
                    f"{name}-token",
                    secret_id=args.hub_secret_id,
                    role="roles/secretmanager.secretAccessor",
                    member=args.account.member,
                    opts=child(self, depends_on=after),
                )
            )
        self.job = gcp.cloudrunv2.Job(
            f"{name}-{digest}",
            name=cloud_run_names.job_name(args.target, model),
            location=args.target.region,
            # Contains no data: the weights are in the bucket.
            deletion_protection=False,
            run_execution_token=RUN_ONCE,
            labels=cloud_run_names.labels(args.target, model),
            binary_authorization=gcp.cloudrunv2.JobBinaryAuthorizationArgs(use_default=True)
            if args.target.binary_authorization
            else None,
            template=gcp.cloudrunv2.JobTemplateArgs(task_count=1, template=_task(args, folder)),
            opts=child(
                self,
                depends_on=[*after, *needed],
                ignore_changes=["runExecutionToken"],
                custom_timeouts=pulumi.CustomTimeouts(create="6h", update="6h"),
            ),
        )
        self.register_outputs({})


def _task(args: RunLoaderArgs, folder: str) -> "gcp.cloudrunv2.JobTemplateTemplateArgs":
    run, job = gcp.cloudrunv2, args.job
    files = f"{MOUNT}/{folder}"
    load = manifests.load_command(args.target, args.model, files=files, mount=MOUNT, scratch=SCRATCH)
    return run.JobTemplateTemplateArgs(
        service_account=args.account.email,
        encryption_key=args.target.kms_key,
        execution_environment="EXECUTION_ENVIRONMENT_GEN2",
        timeout=f"{job.timeout_seconds}s",
        # Copied files are kept; a retry continues with the rest.
        max_retries=3,
        containers=[
            run.JobTemplateTemplateContainerArgs(
                image=args.model.weights.loader_image,
                commands=["sh", "-c", f"mkdir -p {SCRATCH} && {load}"],
                envs=_envs(args),
                resources=run.JobTemplateTemplateContainerResourcesArgs(
                    limits={"cpu": str(job.vcpu), "memory": f"{job.memory_gib}Gi"}
                ),
                volume_mounts=[run.JobTemplateTemplateContainerVolumeMountArgs(name="weights", mount_path=MOUNT)],
            )
        ],
        volumes=[
            run.JobTemplateTemplateVolumeArgs(
                name="weights",
                gcs=run.JobTemplateTemplateVolumeGcsArgs(
                    bucket=args.bucket_name, read_only=False, mount_options=["implicit-dirs"]
                ),
            )
        ],
    )


def _envs(args: RunLoaderArgs) -> "list[gcp.cloudrunv2.JobTemplateTemplateContainerEnvArgs]":
    run = gcp.cloudrunv2
    plain = {
        "HF_HOME": f"{SCRATCH}/home",
        "HOME": SCRATCH,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",
        "PYTHONPATH": f"{SCRATCH}/site",
        "TMPDIR": SCRATCH,
    }
    envs = [run.JobTemplateTemplateContainerEnvArgs(name=key, value=plain[key]) for key in sorted(plain)]
    if args.model.weights.needs_token:
        reference = run.JobTemplateTemplateContainerEnvValueSourceSecretKeyRefArgs(
            secret=args.hub_secret_id, version="latest"
        )
        source = run.JobTemplateTemplateContainerEnvValueSourceArgs(secret_key_ref=reference)
        envs.append(run.JobTemplateTemplateContainerEnvArgs(name="HF_TOKEN", value_source=source))
    return envs
