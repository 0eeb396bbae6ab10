#!/bin/sh
# The embedded build as somebody else's program: installed, linked statically with what it needs alone, stripped. The
# program must run our sample network and give what the release build gives, need no threads, and stay small.
# usage: embedded_test.sh SOURCE_DIR EMBEDDED_BUILD_DIR RELEASE_BUILD_DIR
set -eu
source_dir=$1
build_dir=$2
release_dir=$3
# glibc and libstdc++ are about 2 MB of a static program; kernels and runtime together stay under this.
max_bytes=4000000
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build_dir" --prefix "$scratch/prefix" >/dev/null
threads=$(nm -C --undefined-only "$scratch"/prefix/lib*/libfovea_*.a "$scratch"/prefix/lib*/*/libfovea_*.a 2>/dev/null |
  grep -E 'U (pthread_|std::thread|std::__atomic_futex)' || true)
[ -z "$threads" ] || { echo "the embedded libraries need threads: $threads" >&2; exit 1; }

consumer() {  # name, extra link flags; the rest is for cmake
  name=$1 flags=$2
  shift 2
  cmake -S "$source_dir/tests/package/consumer" -B "$scratch/$name" -G Ninja -DCMAKE_BUILD_TYPE=MinSizeRel \
    -DCMAKE_EXE_LINKER_FLAGS="$flags" "$@" >/dev/null
  cmake --build "$scratch/$name" --target consumer >/dev/null
}
consumer small "-static -s -Wl,--gc-sections" -DCMAKE_PREFIX_PATH="$scratch/prefix"
cmake --install "$release_dir" --prefix "$scratch/release" >/dev/null
consumer release "" -DCMAKE_PREFIX_PATH="$scratch/release"

"$release_dir/bin/fovea-convert" "$source_dir/tests/sample/nuclei.onnx" -o "$scratch/nuclei.fov" --quiet
isa=$(sed -n 's/^FOVEA_EMBEDDED_ISA:STRING=//p' "$build_dir/CMakeCache.txt")
small=$("$scratch/small/consumer" "$scratch/nuclei.fov")
release=$(FOVEA_ISA=$isa "$scratch/release/consumer" "$scratch/nuclei.fov")
bytes=$(stat -c %s "$scratch/small/consumer")
echo "embedded ($isa): $small, release: $release; program of $bytes bytes, limit $max_bytes"
[ "$small" = "$release" ]
[ "$bytes" -le "$max_bytes" ]
