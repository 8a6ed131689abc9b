#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the effect of a pull request on an environment as a comment: review.sh ENV REF FILE
# Run the base commit's copy in a checkout of the pull request, as the pipelines here do, so that the author cannot change the
# checks. This is the only place that lists the gates. Needs git, Python and a package index; no cloud credentials.
# Exits with 1 if a gate or a rule fails, and with 2 if the comparison fails; FILE is written in every case.
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
    # An indented block, in which no Git host recognizes mentions, links or commands.
    printf '\n<details><summary><b>%s</b> failed</summary>\n\n' "$name"
    head -c 4000 "$said/$name" | sed 's/^/    /'
    printf '\n\n</details>\n'
  done
} | head -c 65000 >"$comment"
[ "$worst" -le 2 ] || worst=2
exit "$worst"
