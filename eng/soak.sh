#!/usr/bin/env bash
# Many streaming clients on the bundled model: eng/soak.sh HADAL CLIENTS SECONDS [option for Hadal.Soak …]
# Starts the server, runs bench/Hadal.Soak against it, and ends it; fails where a stream, a page, a handle or memory is not as it should be.
#   eng/soak.sh artifacts/publish/hadal 1000 600
set -euo pipefail
cd "$(dirname "$0")/.."
hadal=$1 clients=$2 seconds=$3
shift 3
work=$(mktemp -d)
server=
cleanup() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
ulimit -n "$(ulimit -Hn)"
soak=artifacts/bin/Hadal.Soak/release/Hadal.Soak
[ -x "$soak" ] || dotnet build -c Release -v quiet --nologo bench/Hadal.Soak
"$hadal" serve --port 0 --max-running "${SOAK_RUNNING:-256}" --max-queue 2048 --slow-reader-timeout 10s >"$work/serve.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$work/serve.log" | head -n 1 || true)
  [ -z "$url" ] || break
  sleep 0.1
done
[ -n "${url:-}" ] || { echo "soak: serve did not listen: $(cat "$work/serve.log")" >&2; exit 1; }
status=0
"$soak" --url "$url" --pid "$server" --clients "$clients" --seconds "$seconds" "$@" || status=$?
kill -TERM "$server"
wait "$server" || { echo "soak: serve ended with status $?" >&2; status=1; }
server=
grep -E ' (fail|crit): ' "$work/serve.log" && status=1
exit "$status"
