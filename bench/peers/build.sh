#!/usr/bin/env bash
# Builds the peers that have to be built into build/bench/: the one in Go, and where the .NET SDK is
# the one in C#.
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p build/bench
GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$PWD/build/bench/go-cache CGO_ENABLED=0 \
    go build -o build/bench/go ./bench/peers/go

if dotnet --list-sdks 2>/dev/null | grep -q '^10\.'; then
    export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
    dotnet publish bench/peers/csharp --configuration Release --output build/bench/csharp --verbosity quiet -nologo -nodeReuse:false
fi
