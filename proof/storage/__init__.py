# SPDX-License-Identifier: Apache-2.0
"""Cloud Storage's JSON API, by fake-gcs-server."""
