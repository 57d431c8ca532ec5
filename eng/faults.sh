#!/usr/bin/env bash
# Runs the fault suite and prints it as a table: eng/faults.sh. Needs a build (dotnet build Hadal.slnx -c Release).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
run() { "artifacts/bin/$1/release/$1" -noColor -class "$2" -xml "$work/$1.xml" >"$work/log" 2>&1 || { status=1; cat "$work/log" >&2; }; }
run Hadal.Engine.Tests '*.IsolationTests'
run Hadal.Server.Tests '*.FaultTests'
run Hadal.Cli.Tests '*.ServeTests'
echo "| fault | outcome | seconds |"
echo "|---|---|---|"
for file in "$work"/*.xml; do
  { grep -oE '<test [^>]*>' "$file" || true; } | sed -E 's/.* name="([^"]*)".*/\1\t&/; s/\t.* result="([^"]*)".*/\t\1\t&/; s/\t<test .* time="([0-9.]*)".*/\t\1/' \
    | sed -E 's/^([^(\t]*)(\([^\t]*\))?\t/\1\t/; s/^.*\.([A-Za-z_]+)\t/\1\t/' \
    | awk -F'\t' '{ n[$1]++; if ($2 != "Pass") bad[$1] = $2; if ($3 > t[$1]) t[$1] = $3; if (!($1 in at)) { at[$1] = ++k; name[k] = $1 } }
        END { for (i = 1; i <= k; i++) { x = name[i]; label = x; gsub("_", ", ", label); printf "| %s%s | %s | %.2f |\n", label, (n[x] > 1 ? " (" n[x] " cases)" : ""), (x in bad ? bad[x] : "as it should"), t[x] } }'
done
exit "$status"
