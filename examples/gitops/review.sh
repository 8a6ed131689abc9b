#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a change of an environment does, as a comment for a pull request: review.sh ENV REF FILE
# The only place that names the gates: whatever CI you use calls this. Needs git, Python and the package index; no
# credential of any cloud. Ends with 1 where a gate is not passed.
set -eu
./dev lock "$1" --check
./dev place "$1" --check
./dev diff "$1" --against "$2" --markdown "$3" --fail-on 'data,replace,cost>+10%,license,code,security'
