#!/usr/bin/env bash
# Packs what was built, looks into the packages, installs them into a fresh project from a folder, and has that answer a prompt.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
packages=$root/artifacts/packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "packages: $*" >&2; exit 1; }

rm -rf "$packages"
dotnet pack Hadal.slnx -c Release --no-build -o "$packages" --nologo -v quiet
count=0
for package in "$packages"/*.nupkg; do
  name=$(basename "$package" .nupkg)
  id=${name%.0.*}
  [ -f "$packages/$name.snupkg" ] || fail "$name has no symbols"
  list=$(unzip -Z1 "$package")
  for file in README.md NOTICE "lib/net10.0/$id.dll" "lib/net10.0/$id.xml"; do grep -qx "$file" <<<"$list" || fail "$name lacks $file"; done
  unzip -p "$package" "$id.nuspec" | grep -q '<license type="expression">Apache-2.0</license>' || fail "$name names no licence"
  unzip -p "$package" "$id.nuspec" | grep -qi 'Package Description' && fail "$name has no description"
  mkdir "$work/$id"
  unzip -q "$package" -d "$work/$id/package"
  unzip -q "$packages/$name.snupkg" -d "$work/$id/symbols"
  grep -rqaF "$root" "$work/$id" && fail "$name names a folder of this machine"
  count=$((count + 1))
done
[ "$count" -eq "$(($(find src -name '*.csproj' | wc -l) - 1))" ] || fail "$count packages; expected one of each project but the command"

mkdir "$work/app"
cp samples/Library/Program.cs "$work/app/"
version=$(basename "$packages"/Hadal.Extensions.AI.*.nupkg .nupkg)
version=${version#Hadal.Extensions.AI.}
cat >"$work/app/nuget.config" <<CONFIG
<configuration><packageSources><add key="hadal" value="$packages" /></packageSources></configuration>
CONFIG
cat >"$work/app/app.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <Nullable>enable</Nullable>
    <RestorePackagesPath>$work/cache</RestorePackagesPath>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Hadal.Extensions.AI" Version="$version" />
    <PackageReference Include="Hadal.Demo" Version="$version" />
  </ItemGroup>
</Project>
PROJECT
(cd "$work/app" && dotnet build -c Release --nologo -v quiet -o "$work/out")
"$work/out/app" | grep -q 19 || fail "the fresh project gave no answer"
echo "packages: $count, and a fresh project answers with them"
