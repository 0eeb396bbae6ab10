"""The six benchmark networks: their sizes, how they are made, converted and checked, and where that is kept."""
import array
import ast
import json
import os
import random
import struct
import subprocess

ORT_VERSION = "1.30.0"

# name: (channels, timed size, small size that the network's strides allow)
NETWORKS = {
    "unet_2d_32": (1, (512, 512), (96, 160)),
    "unet_2d_64": (1, (512, 512), (96, 160)),
    "care_2d": (1, (1024, 1024), (96, 160)),
    "stardist_2d": (1, (512, 512), (96, 160)),
    "unet_3d_16": (1, (32, 128, 128), (16, 24, 40)),
    "vstain_resnet9": (3, (512, 512), (96, 160)),
}

MAX_DIFFERENCE = 1e-4  # of the output's range; float32 sums in another order differ by about 1e-6 of it


class BenchError(Exception):
    """A sentence for the user: something is missing, failed, or computes something else."""


def call(command, what):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{what} failed (exit code {done.returncode}): {' '.join(command)}\n{done.stderr.strip()}")
    return done.stdout


def install_onnxruntime(cache, version):
    """The folder whose node_modules holds onnxruntime-node; --ignore-scripts because the package's own install script
    fetches GPU libraries that the CPU provider does not need."""
    folder = os.path.join(cache, f"onnxruntime-{version}")
    if not os.path.exists(f"{folder}/node_modules/onnxruntime-node/package.json"):
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/package.json", "w") as f:
            f.write('{"private": true}\n')
        call(["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund",
              f"onnxruntime-node@{version}"], "installing ONNX Runtime from npm")
    return folder


def make_models(cache, script):
    """Writes the ONNX files once per state of the script that makes them; returns (folder, statistics by name)."""
    folder = os.path.join(cache, "models")
    stats = f"{folder}/stats.json"
    if not os.path.exists(stats) or os.path.getmtime(stats) < os.path.getmtime(script):
        call(["/usr/bin/python3", script, folder], "making the networks (needs python3-onnx, see tools/setup --bench)")
    with open(stats) as f:
        return folder, {entry["name"]: entry for entry in json.load(f)}


def write_input(path, dims, seed):
    values = random.Random(seed)
    count = 1
    for d in dims:
        count *= d
    data = array.array("f", (values.uniform(-1, 1) for _ in range(count)))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, dims))},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data.tobytes())


def read_npy(path):
    with open(path, "rb") as f:
        if f.read(8) != b"\x93NUMPY\x01\x00":
            raise BenchError(f"{path}: not an NPY 1.0 file")
        header = f.read(struct.unpack("<H", f.read(2))[0]).decode()
        fields = ast.literal_eval(header)
        if fields["descr"] != "<f4" or fields["fortran_order"]:
            raise BenchError(f"{path}: not row-major float32: {header.strip()}")
        data = array.array("f", f.read())
    return tuple(fields["shape"]), data


def relative_difference(got, expected):
    """Largest absolute difference over the expected values' range; infinite where a value is not finite."""
    spread = max(expected) - min(expected)
    worst = max(map(lambda a, b: abs(a - b), got, expected))
    total = sum(got) + sum(expected)
    if not (total - total == 0 and spread > 0):
        return float("inf")
    return worst / spread


def outputs_of(command, folder, what):
    """Runs `command`, which writes NPY files to `folder`; returns them by name."""
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        os.remove(f"{folder}/{old}")
    call(command, what)
    return {name: read_npy(f"{folder}/{name}") for name in sorted(os.listdir(folder))}


def compare(what, got, expected):
    """The largest relative difference of any output, or raises."""
    worst = 0.0
    if not expected or list(got) != list(expected):
        raise BenchError(f"{what}: outputs differ in name: {list(expected)} and {list(got)}")
    for output, (dims, values) in expected.items():
        got_dims, got_values = got[output]
        if got_dims != dims:
            raise BenchError(f"{what}: {output} has shape {got_dims}, ONNX Runtime's {dims}")
        difference = relative_difference(got_values, values)
        if not difference < MAX_DIFFERENCE:
            raise BenchError(f"{what}: {output} differs from ONNX Runtime's by {difference:.2e} of its range "
                             f"(allowed {MAX_DIFFERENCE:.0e}); nothing was timed")
        worst = max(worst, difference)
    return worst
