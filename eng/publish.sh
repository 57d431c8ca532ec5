#!/usr/bin/env bash
# Publishes hadal as one native file: artifacts/publish/hadal (linux-x64, no .NET needed to run it).
# Needs the .NET 10 SDK, and from Debian: clang zlib1g-dev.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in dotnet clang; do
  command -v "$tool" >/dev/null || { echo "error: $tool is not installed (apt-get install clang zlib1g-dev; .NET 10 SDK)" >&2; exit 1; }
done
dotnet publish src/Hadal.Cli -c Release -r linux-x64 -o artifacts/publish "$@"
rm -f artifacts/publish/*.dbg artifacts/publish/*.xml artifacts/publish/*.pdb
ls -l artifacts/publish/hadal
