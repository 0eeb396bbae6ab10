#!/bin/sh
# Installs the build into a scratch prefix; a project that knows only find_package(fovea) builds against it and runs.
# usage: package_test.sh SOURCE_DIR BUILD_DIR
set -eu
source_dir=$1
build_dir=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build_dir" --prefix "$scratch/prefix" >/dev/null
cmake -S "$source_dir/tests/package/consumer" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/build" >/dev/null
"$scratch/prefix/bin/fovea-convert" "$source_dir/tests/sample/nuclei.onnx" -o "$scratch/nuclei.fov" --quiet
cpp=$("$scratch/build/consumer" "$scratch/nuclei.fov")
c=$("$scratch/build/c_consumer" "$scratch/nuclei.fov")
echo "C++: $cpp"
echo "C:   $c"
[ "$cpp" = "$c" ]
case "$cpp" in "mean 0."*) ;; *) echo "not a probability: $cpp" >&2; exit 1 ;; esac
