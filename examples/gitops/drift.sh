#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares the Hub and the buckets with the lock: drift.sh ENV
# Needs gcloud with permission to list the buckets (roles/storage.objectViewer), and HF_TOKEN for gated models.
# Exits with 1 if something differs from the lock.
set -eu
listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
for bucket in $(./dev drift "$1" --buckets); do
  gcloud storage ls --json --recursive "$bucket/**" >>"$listing"
done
./dev drift "$1" --bucket-listing "$listing"
