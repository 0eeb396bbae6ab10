#!/usr/bin/python3
"""Writes expected.json: results of processing steps by numpy and scipy (Debian's python3-numpy, python3-scipy).

usage: tests/runtime/process/make_expected.py > tests/runtime/process/expected.json
One case a line: steps as fovea reads them, the program to agree with, names of the input and the reference, the result's
values and the largest difference allowed. Pixels are ordered channel, z, y, x.
"""
import json

import numpy as np
from scipy import ndimage, special

random = np.random.default_rng(7)
INPUTS = {
    "plane": random.normal(100, 30, (1, 1, 6, 7)),
    "channels": random.normal(0, 2, (3, 1, 4, 5)) * np.array([1, 10, 0.1]).reshape(3, 1, 1, 1),
    "volume": random.gamma(2, 50, (2, 3, 5, 6)),
    "mask": (ndimage.gaussian_filter(random.normal(0, 1, (14, 17)), 1) > 0.1)[None, None] * 255.0,
    "blobs": (ndimage.gaussian_filter(random.normal(0, 1, (6, 9, 10)), 0.9) > 0.1)[None] * 7.0,
}
INPUTS = {name: values.round(2).astype(np.float32) for name, values in INPUTS.items()}
CASES = []


def numbers(x):
    """As short as they can be and still be the same float32."""
    shortest = (float(str(v)) for v in x.astype(np.float32).ravel())
    return [int(v) if v == int(v) else v for v in shortest]


def case(name, steps, result, tolerance=0.0, compat="exact", reference=None):
    result = np.asarray(result)
    if result.ndim == 2:
        result = result[None, None]
    CASES.append(
        {
            "input": name,
            "steps": steps,
            "compat": compat,
            "reference": reference,
            "shape": list(result.shape),
            "tolerance": tolerance,
            "values": numbers(result),
        }
    )


def standardized(x, axes, eps=1e-6, ddof=0):
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True, ddof=ddof) + eps)


def ranged(x, low, high, axes, eps=1e-6, method="linear"):
    x = x.astype(np.float64)
    lo, hi = (np.percentile(x, p, axis=axes, keepdims=True, method=method) for p in (low, high))
    return (x - lo) / (hi - lo + eps)


def order_statistic(x, index):
    return np.sort(x.astype(np.float64).ravel())[int(index)]


def per_channel(f, x):
    """f of each plane."""
    return np.stack([np.stack([f(plane) for plane in volume]) for volume in x])


ALL = (0, 1, 2, 3)
plane, channels, volume, mask, blobs = (INPUTS[n] for n in ("plane", "channels", "volume", "mask", "blobs"))
d = {name: values.astype(np.float64) for name, values in INPUTS.items()}

# bioimage.io's operations.
case("channels", "binarize(threshold=0.25)", channels > 0.25)
case("channels", "binarize(threshold=[0, 5, -0.1], axis=channel)", channels > np.float32([0, 5, -0.1]).reshape(3, 1, 1, 1))
case("plane", "binarize(threshold=100)", plane >= 100, compat="jdll")
case("plane", "clip(min=80, max=120.5)", np.clip(plane, 80, 120.5))
for method in ("linear", "lower", "higher", "nearest", "midpoint", "inverted_cdf"):
    lo, hi = (np.percentile(d["plane"], p, method=method) for p in (7, 91.3))
    case("plane", f"clip(min_percentile=7, max_percentile=91.3, method={method})", np.clip(d["plane"], lo, hi), 1e-5)
lo, hi = (np.percentile(d["plane"], p, method="inverted_cdf") for p in (7, 91.3))
case("plane", "clip(min_percentile=7, max_percentile=91.3)", np.clip(d["plane"], lo, hi), 1e-5, compat="core")
case("plane", "ensure_dtype(dtype=uint8)", plane.astype(np.uint8))
case("channels", "ensure_dtype(dtype=int16)", channels.astype(np.int16))
case("channels", "ensure_dtype(dtype=bool)", channels.astype(bool))
case("channels", "fixed_zero_mean_unit_variance(mean=0.5, std=3)", (d["channels"] - 0.5) / 3, 1e-6)
three = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1)
case("channels", "fixed_zero_mean_unit_variance(mean=[1, 2, 3], std=[3, 2, 1], axis=channel)", (d["channels"] - three) / (4 - three), 1e-6)
for compat in ("core", "jdll"):
    case("channels", "fixed_zero_mean_unit_variance(mean=0.5, std=0.001)", (d["channels"] - 0.5) / (0.001 + 1e-6), 1e-2, compat=compat)
case("channels", "scale_linear(gain=2.5, offset=-1)", d["channels"] * 2.5 - 1, 1e-5)
case("channels", "scale_linear(gain=[1, 2, 3], offset=[3, 2, 1], axes=c)", d["channels"] * three + 4 - three, 1e-5)
case("channels", "sigmoid", special.expit(d["channels"]), 1e-7)
case("channels", "softmax(axis=channel)", special.softmax(d["channels"], axis=0), 1e-7)
case("volume", "zero_mean_unit_variance", standardized(volume, ALL), 1e-6)
case("volume", "zero_mean_unit_variance(mode=per_sample, axes=[channel, z, y, x], eps=0.5)", standardized(volume, ALL, 0.5), 1e-6)
case("volume", "zero_mean_unit_variance(axes=zyx)", standardized(volume, (1, 2, 3)), 1e-6)
case("volume", "zero_mean_unit_variance(axes=[y, x])", standardized(volume, (2, 3)), 1e-6)
case("volume", "scale_range(min_percentile=1, max_percentile=99.8)", ranged(volume, 1, 99.8, ALL), 1e-6)
case("volume", "scale_range(min_percentile=5, max_percentile=95, axes=cyx, eps=0.25)", ranged(volume, 5, 95, (0, 2, 3), 0.25), 1e-6)
case("volume", "scale_range(max_percentile=90, axes=[z, y, x], method=midpoint)", ranged(volume, 0, 90, (1, 2, 3), method="midpoint"), 1e-6)
case("volume", "scale_range(min_percentile=5, max_percentile=95, eps=0.25)", ranged(volume, 5, 95, ALL), 1e-6, compat="core")
reference = d["plane"]
lo, hi = np.percentile(reference, 10), np.percentile(reference, 90)
case("volume", "scale_range(min_percentile=10, max_percentile=90, reference_tensor=raw)", (d["volume"] - lo) / (hi - lo + 1e-6), 1e-5, reference="plane")
case("volume", "scale_mean_variance(reference_tensor=raw)", standardized(volume, ALL) * (reference.std() + 1e-6) + reference.mean(), 1e-4, reference="plane")

# Numbers of published programs, by their formulas.
n = volume.size
lo, hi = (order_statistic(volume, np.floor((n - 1) * p / 100 + 0.5)) for p in (3, 99.8))
case("volume", "scale_range", np.maximum(0, (d["volume"] - lo) / (hi - lo)), 1e-6, compat="csbdeep-fiji")
n = plane.size
lo, hi = (order_statistic(plane, min(n - 1, n * p / 100)) for p in (10, 70))
case("plane", "scale_range(min_percentile=10, max_percentile=70)", (d["plane"] - lo) / (hi - lo + 1e-6), 1e-6, compat="jdll")
# A second step's statistics are those of the values before the first.
shifted = 3 * d["plane"] + 1
core = (shifted - d["plane"].mean()) / (d["plane"].std() + 1e-6)
case("plane", "scale_linear(gain=3, offset=1) | zero_mean_unit_variance", core, 1e-4, compat="core")
case("plane", "scale_linear(gain=3, offset=1) | zero_mean_unit_variance", standardized(shifted, ALL), 1e-5)

# What else there is.
case("channels", "argmax", channels.argmax(0)[None])
case("channels", "select_channels(channels=[3, 1])", channels[[2, 0]])
case("plane", "invert", d["plane"].min() + d["plane"].max() - d["plane"], 1e-4)
lo, hi = d["plane"].min(), d["plane"].max()
case("plane", "gamma(gamma=0.6)", lo + (hi - lo) * ((d["plane"] - lo) / (hi - lo)) ** 0.6, 1e-3)
case("volume", "crop(z=1, y=2, x=1, height=2, width=4)", volume[:, 1:, 2:4, 1:5])
case("volume", "transpose(axes=yzx)", volume.transpose(0, 2, 1, 3))
case("volume", "transpose(axes=xy)", volume.transpose(0, 1, 3, 2))
zoom = lambda order, scale: per_channel(lambda p: ndimage.zoom(p, scale, order=order, mode="nearest", grid_mode=True), d["channels"])
case("channels", "resize(scale=3, method=nearest)", channels.repeat(3, 2).repeat(3, 3))
case("channels", "resize(scale=2, method=linear)", zoom(1, 2), 1e-5)
case("plane", "resize(scale_y=0.5, method=area)", d["plane"].reshape(1, 1, 3, 2, 7).mean(3), 1e-4)
blurred = lambda x, sigma: per_channel(lambda p: ndimage.gaussian_filter(p, sigma, mode="nearest"), x)
case("plane", "gaussian_blur(sigma=1.3)", blurred(d["plane"], 1.3), 1e-4)
case("volume", "gaussian_blur(sigma=0.8, sigma_z=1.5)", np.stack([ndimage.gaussian_filter(v, (1.5, 0.8, 0.8), mode="nearest") for v in d["volume"]]), 1e-4)
case("plane", "subtract_background(sigma=2)", d["plane"] - blurred(d["plane"], 2), 1e-4)
square, cross = np.ones((3, 3)), ndimage.generate_binary_structure(2, 1)
yy, xx = np.mgrid[-2:3, -2:3]
disk = yy * yy + xx * xx <= 4
dilate = lambda x, footprint: ndimage.grey_dilation(x, footprint=footprint, mode="constant", cval=-np.inf)
erode = lambda x, footprint: ndimage.grey_erosion(x, footprint=footprint, mode="constant", cval=np.inf)
case("plane", "dilation", dilate(d["plane"][0, 0], square))
case("plane", "erosion(shape=cross)", erode(d["plane"][0, 0], cross))
case("plane", "dilation(radius=2, shape=disk)", dilate(d["plane"][0, 0], disk))
case("mask", "opening(radius=1)", dilate(erode(d["mask"][0, 0], square), square))
case("mask", "closing(radius=2, shape=disk)", erode(dilate(d["mask"][0, 0], disk), disk))
flat = mask[0, 0] != 0
case("mask", "fill_holes", ndimage.binary_fill_holes(flat) * 255.0)
case("mask", "fill_holes(connectivity=8)", ndimage.binary_fill_holes(flat, square) * 255.0)
for name, connectivity, structure in (("4", 4, cross), ("8", 8, square)):
    labels, count = ndimage.label(flat, structure)
    case("mask", f"connected_components(connectivity={name})", labels)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = (sizes >= 4) & (sizes <= 60)
    case("mask", f"size_filter(min=4, max=60, connectivity={name})", np.where(keep[labels], mask[0, 0], 0))
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    case("mask", f"clear_border(connectivity={name})", np.where(np.isin(labels, border), 0, mask[0, 0]))
    kept = np.where(keep[labels], labels, 0)
    order = {v: i + 1 for i, v in enumerate(dict.fromkeys(v for v in kept.ravel() if v != 0))}
    case("mask", f"connected_components(connectivity={name}) | size_filter(min=4, max=60, connectivity={name}) | relabel", np.vectorize(lambda v: order.get(v, 0))(kept))
for connectivity, rank in ((6, 1), (18, 2), (26, 3)):
    labels, _ = ndimage.label(blobs[0] != 0, ndimage.generate_binary_structure(3, rank))
    case("blobs", f"connected_components(connectivity={connectivity})", labels[None])
case("blobs", "fill_holes(connectivity=6)", ndimage.binary_fill_holes(blobs[0] != 0)[None] * 7.0)

inputs = [json.dumps(name) + ': {"shape": ' + json.dumps(x.shape) + ', "values": ' + json.dumps(numbers(x), separators=(",", ":")) + "}" for name, x in INPUTS.items()]
print('{"inputs": {\n' + ",\n".join(inputs) + '},\n"cases": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES) + "]}")
