#!/usr/bin/env bash
# Drives a published hadal with the npm clients people use, over a socket: eng/conformance.sh artifacts/publish/hadal. Needs node and npm.
set -euo pipefail
cd "$(dirname "$0")/.."
hadal=$1
work=artifacts/conformance
mkdir -p "$work"
cp tests/conformance/* "$work"/
(cd "$work" && npm ci --silent --no-audit --no-fund)
server=
cleanup() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; }
trap cleanup EXIT
"$hadal" serve --port 0 --tool-call-parser hermes >"$work/serve.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$work/serve.log" | head -n 1 || true)
  [ -z "$url" ] || break
  sleep 0.1
done
[ -n "${url:-}" ] || { echo "conformance: serve did not listen: $(cat "$work/serve.log")" >&2; exit 1; }
(cd "$work" && HADAL_URL="$url/v1" HADAL_MODEL=hadal-demo node --test *.test.mjs >conformance.log) || { cat "$work/conformance.log"; exit 1; }
grep -E '^. (pass|fail) ' "$work/conformance.log" | sed 's/^. /conformance: /'
kill -TERM "$server"
wait "$server" || { echo "conformance: serve ended with status $?" >&2; exit 1; }
server=
