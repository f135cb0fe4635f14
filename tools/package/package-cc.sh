#!/bin/sh
# The compiler that builds the package: this machine's, with the headers and libraries in
# build/package/root instead of its own. -B goes before the places where gcc looks relative to
# itself, which --sysroot does not move.
root=$(dirname "$0")/../../build/package/root
exec gcc --sysroot="$root" -B"$root/usr/lib/$(gcc -print-multiarch)/" "$@"
