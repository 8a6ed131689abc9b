# SPDX-License-Identifier: Apache-2.0
"""The node pool of controllers and weight loads, which every cluster has. Does not own its size limit."""

MACHINE_TYPE = "e2-standard-4"
DISK_TYPE = "pd-balanced"
DISK_GB = 100
"""Per node; loaders use disks of their own."""
