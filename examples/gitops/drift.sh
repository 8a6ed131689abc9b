#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Hub and the buckets against the lock: drift.sh ENV
# Needs gcloud with a credential that may list the buckets (roles/storage.objectViewer), and HF_TOKEN for gated models.
# Ends with 1 where something is not as it was locked.
set -eu
listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
for bucket in $(./dev drift "$1" --buckets); do
  gcloud storage ls --json --recursive "$bucket/**" >>"$listing"
done
./dev drift "$1" --bucket-listing "$listing"
