#!/usr/bin/env bash
# Checks that a published hadal works as a whole: eng/smoke.sh artifacts/publish/hadal
set -euo pipefail
cd "$(dirname "$0")/.."
hadal=$1
work=$(mktemp -d)
server=
cleanup() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
fail() { echo "smoke: $*" >&2; exit 1; }

"$hadal" inspect --json | grep -q '"model_type": "deepseek_v3"' || fail "inspect"

start=$(date +%s%N)
text=$("$hadal" run --raw --prompt "Once upon a time" --temperature 0 --max-tokens 1 2>"$work/note")
first=$((($(date +%s%N) - start) / 1000000))
[ -n "$text" ] || fail "run gave no text"
echo "smoke: first token $first ms after process start; $(cat "$work/note")"
[ "$first" -lt 5000 ] || fail "the first token took $first ms"

echo '{"text": "Grüße, 世界!"}' | "$hadal" tokenize --jsonl - | grep -q 'Grüße, 世界!' || fail "tokenize"

"$hadal" logits tests/goldens/models/deepseek_v3_fp8 --input-ids tests/goldens/models/deepseek_v3_fp8/expected.safetensors --output "$work/logits.safetensors" 2>/dev/null \
  && [ -s "$work/logits.safetensors" ] || fail "logits"

"$hadal" bench --prompt 16 --decode 4 --repeat 1 2>/dev/null | grep -q '"tokens_per_second"' || fail "bench"

"$hadal" inspect /nonexistent >/dev/null 2>"$work/error" && fail "a missing model is no error"
grep -q '^error: .*nonexistent' "$work/error" || fail "a missing model is not named: $(cat "$work/error")"

"$hadal" serve --port 0 >"$work/serve.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$work/serve.log" | head -n 1 || true)
  [ -z "$url" ] || break
  sleep 0.1
done
[ -n "${url:-}" ] || fail "serve did not listen: $(cat "$work/serve.log")"
curl -fsS "$url/health" | grep -q ok || fail "health"
curl -fsS "$url/v1/completions" -H 'Content-Type: application/json' -d '{"model": "hadal-demo", "prompt": "Once upon a time", "max_tokens": 8, "temperature": 0}' \
  | grep -q '"completion_tokens":8' || fail "completion"
kill -TERM "$server"
wait "$server" || fail "serve ended with status $?"
server=
echo "smoke: all well"
