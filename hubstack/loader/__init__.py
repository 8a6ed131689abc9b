# SPDX-License-Identifier: Apache-2.0
"""The script that fills a bucket with a model's weights: it runs in the cluster, not in hubstack."""
