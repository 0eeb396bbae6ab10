#!/bin/sh
# Every tracked C++ source is as clang-format leaves it. usage: format_check.sh ROOT
cd "$1" || exit 1
files=$(git ls-files '*.h' '*.cc' '*.c' 2>/dev/null)
[ -n "$files" ] || files=$(find kernels runtime converter formats tools bench tests -name '*.h' -o -name '*.cc' -o -name '*.c')
# shellcheck disable=SC2086
exec clang-format --dry-run -Werror $files
