#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a pull request does to an environment, as a comment for it: review.sh ENV REF FILE
# Run the base commit's copy in a checkout of the pull request, as the pipelines here do: then nothing that the author changed
# judges the change. The only place that names the gates. Needs git, Python and the package index; no credential of any
# cloud. Ends with 1 where a gate or a rule stops it, with 2 where it cannot be told; FILE is written in each case.
set -eu
env=$1 ref=$2 comment=$3
hubstack=$(cd "$(dirname "$0")/../.." && pwd)/dev
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
rm -f "$comment"

base=$(git rev-parse --verify --quiet --end-of-options "$ref^{commit}") || {
  printf '### %s: not reviewed\n\nThe base commit is not in this clone: fetch it first.\n' "$env" >"$comment"
  exit 2
}
for name in "$ref" "$base" HEAD FETCH_HEAD; do
  if git ls-files -- ":(top,literal)$name" | grep -Fxq -- "$name"; then
    printf '### %s: refused\n\nThe tree holds a file that is named like a commit. Remove it.\n' "$env" >"$comment"
    exit 1
  fi
done

worst=0 failed=""
try() { # NAME COMMAND...
  name=$1
  shift
  code=0
  "$@" >"$said/$name" 2>&1 || code=$?
  cat "$said/$name"
  [ "$code" -le "$worst" ] || worst=$code
  [ "$code" -eq 0 ] || failed="$failed $name"
}
try lock "$hubstack" lock "$env" --check
try place "$hubstack" place "$env" --check
try check "$hubstack" check "$env"
try diff "$hubstack" diff "$env" --against "$base" --markdown "$said/report.md" \
  --fail-on 'data,replace,refused,cost>+10%,idle>+10%,license,gated,code,security,protection,reach'

{
  if [ -f "$said/report.md" ]; then cat "$said/report.md"; else printf '### %s: not compared\n' "$env"; fi
  for name in $failed; do
    [ "$name" = diff ] && [ -f "$said/report.md" ] && continue
    # An indented block: no host finds a mention, a link or a command in it.
    printf '\n<details><summary><b>%s</b> failed</summary>\n\n' "$name"
    head -c 4000 "$said/$name" | sed 's/^/    /'
    printf '\n\n</details>\n'
  done
} | head -c 65000 >"$comment"
[ "$worst" -le 2 ] || worst=2
exit "$worst"
