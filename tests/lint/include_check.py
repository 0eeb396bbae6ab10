#!/usr/bin/python3
"""Who may include whom (design.md, section 2): reads every #include of the tracked sources and names those that break a rule.

usage: include_check.py ROOT
"""
import os
import re
import subprocess
import sys

FOLDERS = ("kernels", "runtime", "archive", "converter", "formats", "tools", "bench", "tests")
# folder -> prefixes of project paths that it may include
MAY = {
    "kernels": ("kernels/",),
    "runtime": ("runtime/", "kernels/", "fovea/"),
    "archive": ("archive/", "runtime/include/", "fovea/"),
    "converter": ("converter/", "archive/", "runtime/model/", "runtime/include/", "fovea/", "kernels/kernels.h", "onnx.pb.h"),
    "formats": ("formats/", "archive/", "runtime/include/", "fovea/"),
    "tools": ("tools/", "runtime/include/", "fovea/", "archive/", "converter/", "formats/"),
    "bench": ("",),
    "tests": ("",),
}
# Libraries that only these places may name.
ONLY = {
    "flatbuffers/": ("runtime/model/", "tests/", "bench/"),
    "hwy/": ("kernels/", "tests/", "bench/"),
    "tiff": ("formats/", "tests/", "bench/"),
    "stb_image": ("formats/", "tests/", "bench/"),
    "pugixml": ("formats/", "tests/", "bench/"),
    "yaml.h": ("formats/", "tests/"),
    "zip.h": ("archive/", "tests/"),
    "google/protobuf": ("converter/", "tests/", "bench/"),
    "Eigen/": ("converter/", "tests/", "bench/"),
    "xnnpack": ("runtime/exec/xnnpack/", "bench/"),
    "pthreadpool": ("runtime/exec/xnnpack/", "bench/"),
    "xxhash": ("runtime/model/", "runtime/exec/weight_cache", "tests/"),
}
NOBODY = ("tests/", "bench/", "tools/")  # may be included from tests/ and bench/ (and tools/ by itself) alone
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]')


def check_line(path, line):
    """The rule that `line` of `path` breaks, or None."""
    match = INCLUDE.match(line)
    if not match:
        return None
    name = match.group(2)
    folder = path.split("/")[0]
    if folder not in FOLDERS:
        return None
    for library, places in ONLY.items():
        if name.startswith(library) and not path.startswith(places):
            return f"only {', '.join(places)} may include <{name}>"
    if name.startswith("hwy/") and path.endswith(".h") and not path.endswith("-inl.h") and path.startswith("kernels/"):
        return "Highway may be included by .cc and -inl.h files only"
    if match.group(1) == "<" and not name.startswith("fovea/"):
        return None
    if folder not in ("tests", "bench") and name.startswith(NOBODY) and not name.startswith(folder + "/"):
        return f"nothing includes {name.split('/')[0]}/"
    if name.split("/")[0] in FOLDERS + ("fovea",) and not name.startswith(MAY[folder]):
        return f"{folder}/ may include only {', '.join(MAY[folder])}"
    return None


def main():
    root = sys.argv[1]
    try:
        listing = subprocess.run(["git", "-C", root, "ls-files", "*.h", "*.cc", "*.c"], capture_output=True, text=True)
        files = listing.stdout.split()
    except FileNotFoundError:  # a machine without git
        files = []
    if not files:  # no git, or an exported tree
        for folder in FOLDERS:
            for where, _, names in os.walk(os.path.join(root, folder)):
                files += [os.path.relpath(os.path.join(where, n), root) for n in names if n.endswith((".h", ".cc", ".c"))]
    broken = 0
    for path in files:
        full = os.path.join(root, path)
        if not os.path.exists(full):
            continue
        with open(full, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                rule = check_line(path, line)
                if rule:
                    broken += 1
                    print(f"{path}:{number}: {line.strip()}: {rule}")
    print(f"include_check: {len(files)} files, {broken} broken rules")
    return 1 if broken or not files else 0


if __name__ == "__main__":
    sys.exit(main())
