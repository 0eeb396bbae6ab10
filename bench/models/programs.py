"""The programs that bench/run times: how each is started, and what it calls itself.

All of them print one JSON object with runs_ms, load_ms and peak_rss_bytes, and write NAME.npy for every output in the
order and names of the ONNX file.
"""
import os
import subprocess

from networks import NETWORKS, BenchError, call, install_onnxruntime

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCH)


def output_of(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def debian_version(package):
    return output_of(["dpkg-query", "-W", "-f", "${Version}", package]) or "unknown version"


def size_of(name):
    return "x".join(map(str, NETWORKS[name][1]))


class Fovea:
    key, title = "fovea", "fovea"

    def __init__(self, arguments, models):
        self.bin, self.models, self.options = arguments.bin, models, []

    def missing(self):
        absent = [p for p in ("fovea", "fovea-convert") if not os.path.exists(f"{self.bin}/{p}")]
        return f"{self.bin}/{absent[0]} is not built" if absent else None

    def version(self):
        commit = output_of(["git", "-C", ROOT, "describe", "--always", "--dirty"])
        return f"{output_of([f'{self.bin}/fovea', '--version'])} ({commit or 'no commit'})"

    def prepare(self, onnx):
        call([f"{self.bin}/fovea-convert", f"{self.models}/{onnx}.onnx", "-o", f"{self.models}/{onnx}.fov"],
             f"converting {onnx}.onnx")

    def tensor(self, onnx, x, out):
        return [f"{self.bin}/fovea", "tensor", f"{self.models}/{onnx}.fov", x, "-o", out, *self.options]

    def bench(self, name, threads, repeat):
        return [f"{self.bin}/fovea", "bench", f"{self.models}/{name}.fov", "--size", size_of(name), "--threads",
                str(threads), "--repeat", str(repeat), "--json", *self.options]


class Xnnpack(Fovea):
    """Whole networks through `fovea --provider xnnpack`: XNNPACK's operators, our resizing and normalisation."""
    key, title = "xnnpack", "XNNPACK"

    def __init__(self, arguments, models):
        super().__init__(arguments, models)
        self.bin, self.options = arguments.xnnpack_bin, ["--provider", "xnnpack"]

    def missing(self):
        return super().missing() and f"{self.bin}/fovea is not built (cmake --preset xnnpack)"

    def version(self):
        return debian_version("libxnnpack0")


class OnnxRuntime:
    key, title = "ort", "ONNX Runtime"

    def __init__(self, arguments, models):
        self.arguments, self.models, self.folder = arguments, models, None

    def missing(self):
        return None

    def version(self):
        return self.arguments.ort_version

    def prepare(self, onnx):
        self.folder = self.folder or install_onnxruntime(self.arguments.cache, self.arguments.ort_version)

    def command(self, verb, onnx, *rest):
        return ["node", f"{BENCH}/models/ort_bench.mjs", verb, self.folder, f"{self.models}/{onnx}.onnx", *rest]

    def tensor(self, onnx, x, out):
        return self.command("tensor", onnx, x, out)

    def bench(self, name, threads, repeat):
        return self.command("bench", name, "--size", size_of(name), "--threads", str(threads), "--repeat", str(repeat))


class OpenCv:
    key, title = "opencv", "OpenCV DNN"

    def __init__(self, arguments, models):
        self.program, self.models = f"{arguments.bin}/bench_opencv", models

    def missing(self):
        return None if os.path.exists(self.program) else f"{self.program} is not built (tools/setup --bench)"

    def version(self):
        return output_of([self.program, "version"])

    def prepare(self, onnx):
        pass

    def tensor(self, onnx, x, out):
        return [self.program, "tensor", f"{self.models}/{onnx}.onnx", x, out]

    def bench(self, name, threads, repeat):
        return [self.program, "bench", f"{self.models}/{name}.onnx", str(NETWORKS[name][0]), size_of(name),
                str(threads), str(repeat)]


PROGRAMS = {program.key: program for program in (Fovea, OnnxRuntime, OpenCv, Xnnpack)}
REFERENCE = "ort"  # whose outputs the others are compared with, and whose time is 1

__all__ = ["PROGRAMS", "REFERENCE", "BenchError", "size_of"]
