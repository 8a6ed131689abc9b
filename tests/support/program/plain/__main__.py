# SPDX-License-Identifier: Apache-2.0
"""A small real program: nested components, secrets, unknowns, options, a function, two providers."""

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

config = pulumi.Config()
applied: list[str] = []


class Inner(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("plain:inner:Inner", name, None, opts)
        self.bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            location="US",
            labels={"size": str(config.require_int("size")), "color": config.require("color")},
            opts=pulumi.ResourceOptions(parent=self, protect=True, aliases=[pulumi.Alias(name="old")]),
        )
        self.register_outputs({"url": self.bucket.url})


class Outer(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("plain:outer:Outer", name, None, opts)
        self.inner = Inner(f"{name}-inner", pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


google = gcp.Provider("google", project=pulumi.Config("gcp").require("project"), region="us-central1")
outer = Outer("outer", pulumi.ResourceOptions(providers=[google]))
bucket = outer.inner.bucket
bucket.id.apply(applied.append)
project = gcp.organizations.get_project_output(project_id="acme", opts=pulumi.InvokeOptions(provider=google))
secret = gcp.secretmanager.Secret(
    "token", secret_id="token", replication=gcp.secretmanager.SecretReplicationArgs(auto={})
)
gcp.secretmanager.SecretVersion(
    "token",
    secret=secret.id,
    secret_data=pulumi.Output.secret("hf_not_for_eyes"),
    opts=pulumi.ResourceOptions(depends_on=[outer], delete_before_replace=False),
)
cluster = kubernetes.Provider("cluster", kubeconfig=bucket.url.apply(lambda url: f"{{url: {url}}}"))
kubernetes.core.v1.ConfigMap(
    "facts",
    metadata={"name": "facts"},
    data={
        "number": project.number,
        "token": config.require_secret("hfToken"),
        "stack": f"{pulumi.get_project()}/{pulumi.get_stack()}/{pulumi.runtime.is_dry_run()}",
        "applied": str(applied),
    },
    opts=pulumi.ResourceOptions(provider=cluster, ignore_changes=["data"]),
)
pulumi.export("bucket", bucket.url)
pulumi.export("token", pulumi.Output.secret("hf_not_for_eyes"))
pulumi.export("zones", config.require_object("zones"))
