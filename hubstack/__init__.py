# SPDX-License-Identifier: Apache-2.0
"""A YAML list of Hugging Face Hub models becomes a whole inference stack on Google Cloud."""
