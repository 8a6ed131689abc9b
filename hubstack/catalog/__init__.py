# SPDX-License-Identifier: Apache-2.0
"""What Google Cloud and the serving engines offer: accelerators, machines, zones, prices, engines.

Owns the YAML files in this folder and their types. Does not own decisions: sizing, placement and cost read the
catalogue and decide. The files contain raw facts, each with its source; derived figures are computed here. An
unknown figure is absent (None), never zero.
"""

from hubstack.catalog.catalog import Catalog
from hubstack.catalog.engine_metrics import EngineMetrics, Metric, MetricType
from hubstack.catalog.engines import Engine, EngineImage, ModelTypeSupport
from hubstack.catalog.expert_kernels import ExpertKernel
from hubstack.catalog.hardware import Accelerator, MachineType, TpuTopology, ZoneList
from hubstack.catalog.integrity import find_defects
from hubstack.catalog.load_rates import LoadRate, LoadRates
from hubstack.catalog.loader import load_catalog, read_catalog
from hubstack.catalog.node_overhead import NodeOverhead
from hubstack.catalog.platforms import CloudRun, CloudRunGpu, GpuDriver, InstanceShape, Termination, Vertex
from hubstack.catalog.prices import CloudRunPrice, GkeFee, HourPrice, NetworkPrice, Price, Provenance, StoragePrice
from hubstack.catalog.releases import AttentionBackend, Library, Release
from hubstack.catalog.row import CatalogError
from hubstack.catalog.sources import Source

__all__ = [
    "Accelerator",
    "AttentionBackend",
    "Catalog",
    "CatalogError",
    "CloudRun",
    "CloudRunGpu",
    "CloudRunPrice",
    "Engine",
    "EngineImage",
    "EngineMetrics",
    "ExpertKernel",
    "GkeFee",
    "GpuDriver",
    "HourPrice",
    "InstanceShape",
    "Library",
    "LoadRate",
    "LoadRates",
    "MachineType",
    "Metric",
    "MetricType",
    "ModelTypeSupport",
    "NetworkPrice",
    "NodeOverhead",
    "Price",
    "Provenance",
    "Release",
    "Source",
    "StoragePrice",
    "Termination",
    "TpuTopology",
    "Vertex",
    "ZoneList",
    "find_defects",
    "load_catalog",
    "read_catalog",
]
