# SPDX-License-Identifier: Apache-2.0
"""The plan: every decision as frozen data; the contract between planning and deploying."""

from hubstack.plan.plan import (
    ApiKey,
    CapacityClass,
    MemoryNeed,
    MemoryTerm,
    ModelPlan,
    Plan,
    PoolPlan,
    Probe,
    Reason,
    Rejected,
    Replicas,
    ScalingPlan,
    ScalingTrigger,
    ServerPlan,
    StepPlan,
    Verdict,
    WeightsFile,
    WeightsPlan,
)

__all__ = [
    "ApiKey",
    "CapacityClass",
    "MemoryNeed",
    "MemoryTerm",
    "ModelPlan",
    "Plan",
    "PoolPlan",
    "Probe",
    "Reason",
    "Rejected",
    "Replicas",
    "ScalingPlan",
    "ScalingTrigger",
    "ServerPlan",
    "StepPlan",
    "Verdict",
    "WeightsFile",
    "WeightsPlan",
]
