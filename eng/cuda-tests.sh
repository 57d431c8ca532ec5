#!/usr/bin/env bash
# Packs the tests of the CUDA device so that they run on a machine with a GPU and nothing else: one archive, no .NET needed there.
#   eng/cuda-tests.sh [ARCHIVE]    default: artifacts/cuda-tests.tar.xz
# There:  mkdir t && tar -xJf cuda-tests.tar.xz -C t && HADAL_REQUIRE_GPU=1 t/Hadal.Cuda.Tests -noColor
# Without xz there: python3 -c 'import tarfile; tarfile.open("cuda-tests.tar.xz").extractall("t")'
set -euo pipefail
archive=$(realpath -m "${1:-"$(dirname "$0")/../artifacts/cuda-tests.tar.xz"}")
cd "$(dirname "$0")/.."
folder=artifacts/publish-cuda-tests
rm -rf "$folder"
dotnet publish tests/Hadal.Cuda.Tests -c Release -r linux-x64 --self-contained -p:RunAnalyzers=false -p:DebugType=none -p:GenerateDocumentationFile=false \
  -p:PublishTrimmed=true -p:TrimMode=partial -p:SuppressTrimAnalysisWarnings=true -p:TreatWarningsAsErrors=false -o "$folder" --nologo -v quiet
# What a run of the tests never opens.
(cd "$folder" && rm -f ./*.pdb ./*.xml libmscordbi.so libmscordaccore.so createdump libcoreclrtraceptprovider.so libclrgc.so libclrgcexp.so)
mkdir -p "$(dirname "$archive")"
tar -C "$folder" -cf - . | python3 -c 'import lzma, sys; sys.stdout.buffer.write(lzma.compress(sys.stdin.buffer.read(), filters=[{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 7}]))' >"$archive"
ls -l "$archive"
