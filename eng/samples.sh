#!/usr/bin/env bash
# Runs the samples, which are built already, and looks at what they say.
set -euo pipefail
cd "$(dirname "$0")/.."
server=
cleanup() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; }
trap cleanup EXIT
fail() { echo "samples: $*" >&2; exit 1; }
sample() { echo "artifacts/bin/$1/release/Hadal.Samples.$1"; }

"$(sample Library)" | grep -q 19 || fail "Library"
printf 'What is 12 + 7?\nAnd 3 + 4?\n' | "$(sample ConsoleChat)" 2>/dev/null | grep -q 19 || fail "ConsoleChat"
"$(sample SemanticKernel)" | grep -q 19 || fail "SemanticKernel"
"$(sample ToolCalling)" | grep -q 'called Add(a: ' || fail "ToolCalling"
threads=$("$(sample ManyThreads)")
echo "$threads"
read -r locked together < <(sed -E 's/.* in ([0-9]+) steps.*/\1/' <<<"$threads" | xargs)
[ "$together" -lt $((locked / 8)) ] || fail "ManyThreads: $together steps at once, $locked behind a lock"

log=$(mktemp)
"$(sample WebApi)" --urls http://127.0.0.1:0 >"$log" 2>&1 &
server=$!
for _ in $(seq 100); do
  url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$log" | head -n 1 || true)
  [ -z "$url" ] || break
  sleep 0.1
done
[ -n "${url:-}" ] || fail "WebApi did not listen: $(cat "$log")"
curl -fsS "$url/ask?q=What+is+12+%2B+7%3F" | grep -q 19 || fail "WebApi: /ask"
curl -fsS "$url/v1/models" | grep -q hadal-demo || fail "WebApi: /v1/models"
kill -TERM "$server"
wait "$server" || fail "WebApi ended with status $?"
server=
rm -f "$log"
echo "samples: all well"
