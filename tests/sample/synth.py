#!/usr/bin/python3
"""Synthetic DAPI-like images of nuclei with ground truth labels (fovea's own sample data).

    /usr/bin/python3 synth.py --seed N --count K --size HxW --out DIR

writes DIR/image_000.tif (16 bit) and DIR/labels_000.npy (uint16, 0 = background), ...
Only numpy, scipy and tifffile are needed. The same seed always gives the same images.
"""
import argparse
import os

import numpy as np
from scipy import ndimage as ndi

PIXEL_UM = 0.325


def _smooth_noise(rng, shape, sigma):
    n = ndi.gaussian_filter(rng.standard_normal(shape).astype(np.float32), sigma, mode="reflect")
    return (n - n.mean()) / (n.std() + 1e-6)


class _Nucleus:
    """A closed outline r(theta): an ellipse with a few low harmonics added."""

    def __init__(self, rng, y, x, radius):
        self.y, self.x = y, x
        ratio = rng.uniform(0.62, 1.0)
        self.a, self.b = radius / np.sqrt(ratio), radius * np.sqrt(ratio)
        self.turn = rng.uniform(0, np.pi)
        self.amp = rng.normal(0, [0.045, 0.035, 0.02])
        self.phase = rng.uniform(0, 2 * np.pi, 3)

    def distance(self, yy, xx):
        """0 in the centre, 1 on the outline."""
        dy, dx = yy - self.y, xx - self.x
        c, s = np.cos(self.turn), np.sin(self.turn)
        u, v = (c * dx + s * dy) / self.a, (-s * dx + c * dy) / self.b
        t = np.arctan2(v, u)
        edge = 1.0 + sum(m * np.cos(k * t + p) for k, m, p in zip((2, 3, 5), self.amp, self.phase))
        return np.hypot(u, v) / edge

    def reach(self):
        return int(np.ceil(max(self.a, self.b) * 1.25)) + 2


def _place(rng, h, w):
    """Centres and radii: single cells and clumps whose members touch or overlap slightly."""
    scale = rng.uniform(0.75, 1.3)  # cell line and magnification
    density = rng.choice([0.04, 0.18, 0.32, 0.45, 0.6], p=[0.06, 0.2, 0.3, 0.29, 0.15])
    density *= rng.uniform(0.8, 1.2)
    spread = rng.uniform(0.10, 0.24)
    clump = rng.uniform(0.3, 0.85)
    cells, covered, tries = [], 0.0, 0
    while covered < density * h * w and tries < 4000:
        tries += 1
        radius = float(np.clip(15.0 * scale * np.exp(rng.normal(0, spread)), 7, 32))
        if cells and rng.random() < clump:  # next to an existing one
            o = cells[rng.integers(len(cells))]
            angle = rng.uniform(0, 2 * np.pi)
            gap = (o[2] + radius) * rng.uniform(0.86, 1.06)
            y, x = o[0] + gap * np.sin(angle), o[1] + gap * np.cos(angle)
        else:
            y, x = rng.uniform(-10, h + 10), rng.uniform(-10, w + 10)
        if not (-12 < y < h + 12 and -12 < x < w + 12):
            continue
        if any(np.hypot(y - q[0], x - q[1]) < 0.83 * (radius + q[2]) for q in cells):
            continue
        cells.append((y, x, radius))
        covered += np.pi * radius * radius
    return cells


def make(seed, shape, empty=False):
    """One image (uint16) and its labels (uint16); an empty one has background and debris only."""
    rng = np.random.default_rng(seed)
    h, w = shape
    cells = [] if empty else _place(rng, h, w)

    labels = np.zeros(shape, np.uint16)
    nearest = np.full(shape, 1.0, np.float32)
    light = np.zeros(shape, np.float32)
    blurred = np.zeros(shape, np.float32)
    # Chromatin: two scales of smooth noise, shared by the whole field.
    chroma = 0.6 * _smooth_noise(rng, shape, rng.uniform(1.2, 2.0)) + 0.6 * _smooth_noise(rng, shape, rng.uniform(3, 5))
    depth = rng.uniform(0.08, 0.26)
    variety = rng.uniform(0.12, 0.5)
    for n, (y, x, radius) in enumerate(cells, 1):
        mitotic = rng.random() < 0.03
        if mitotic:
            radius = max(6.5, radius * 0.6)
        cell = _Nucleus(rng, y, x, radius)
        r = cell.reach()
        y0, y1, x0, x1 = max(0, int(y) - r), min(h, int(y) + r + 1), max(0, int(x) - r), min(w, int(x) + r + 1)
        bright = np.exp(rng.normal(0, variety)) * (rng.uniform(1.6, 2.4) if mitotic else 1.0)
        bright = float(np.clip(bright, 0.33, 3.0))
        spots = rng.integers(1, 5)
        if y1 <= y0 or x1 <= x0:
            continue
        yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        d = cell.distance(yy, xx).astype(np.float32)
        inside = d < 1
        body = np.where(inside, np.clip(1 - d ** 2, 0, 1) ** rng.uniform(0.18, 0.4), 0)
        texture = 1 + depth * (1.4 if mitotic else 1.0) * chroma[y0:y1, x0:x1]
        for _ in range(spots):  # nucleoli are dark, chromocentres are bright
            t, q = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.65) * radius
            s = rng.uniform(0.08, 0.2) * radius
            g = np.exp(-((yy - y - q * np.sin(t)) ** 2 + (xx - x - q * np.cos(t)) ** 2) / (2 * s * s))
            texture = texture + (rng.uniform(-0.5, -0.15) if rng.random() < 0.65 else rng.uniform(0.15, 0.5)) * g
        light[y0:y1, x0:x1] += bright * body * np.clip(texture, 0.15, None)
        blurred[y0:y1, x0:x1] += bright * body
        closer = inside & (d < nearest[y0:y1, x0:x1])
        labels[y0:y1, x0:x1][closer] = n
        nearest[y0:y1, x0:x1][closer] = d[closer]

    for _ in range(rng.poisson(h * w / 60000)):  # small debris: not a nucleus
        y, x, s = rng.uniform(0, h), rng.uniform(0, w), rng.uniform(0.6, 1.6)
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        light += rng.uniform(0.3, 1.2) * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * s * s)).astype(np.float32)

    # Microscope: a sharp core and a wide tail of the PSF, haze from out of focus light, uneven background.
    light = 0.85 * ndi.gaussian_filter(light, rng.uniform(0.7, 1.8)) + 0.15 * ndi.gaussian_filter(light, 5)
    haze = rng.uniform(0.02, 0.18) * ndi.gaussian_filter(blurred, 24)
    uneven = _smooth_noise(rng, shape, 70) * rng.uniform(0, 0.03)
    gy, gx = np.mgrid[-1:1:h * 1j, -1:1:w * 1j].astype(np.float32)
    slope = rng.uniform(-0.04, 0.04, 2)
    floor = rng.uniform(0.02, 0.15)
    background = np.clip(floor + uneven + slope[0] * gy + slope[1] * gx, 0.005, None)
    shade = 1 - rng.uniform(0, 0.25) * ((gy - rng.uniform(-0.4, 0.4)) ** 2 + (gx - rng.uniform(-0.4, 0.4)) ** 2) / 2
    photons = (light + haze + background) * shade * np.exp(rng.uniform(np.log(60), np.log(1500)))
    counts = rng.poisson(photons) * rng.uniform(0.8, 4.0) + rng.uniform(90, 400) + rng.normal(0, rng.uniform(1.5, 6), shape)
    image = np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
    return image, _tidy(labels)


def _tidy(labels):
    """Drop specks (a nucleus barely inside the frame, a piece cut off by a neighbour) and number from 1."""
    out, n = np.zeros_like(labels), 0
    for k, box in enumerate(ndi.find_objects(labels), 1):
        if box is None:
            continue
        parts, count = ndi.label(labels[box] == k)
        if count == 0:
            continue
        size = np.bincount(parts.ravel())
        size[0] = 0
        if size.max() >= 30:
            n += 1
            out[box][parts == size.argmax()] = n
    return out


def target(labels):
    """The training target: inside a nucleus, and no other nucleus within the 3x3 neighbourhood.

    So touching nuclei are parted by a two pixel gap and are separate 4- and 8-connected objects.
    """
    big = np.where(labels == 0, np.uint16(65535), labels)
    lo = ndi.minimum_filter(big, 3)
    hi = ndi.maximum_filter(labels, 3)
    return (labels > 0) & (lo == hi)


def normalise(image):
    """What the network expects: zero mean and unit variance of the whole image."""
    x = image.astype(np.float64)
    return ((x - x.mean()) / (x.std() + 1e-6)).astype(np.float32)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--count", type=int, default=1)
    p.add_argument("--size", default="512x512", help="HxW")
    p.add_argument("--empty", action="store_true", help="no nuclei: background, noise and debris only")
    p.add_argument("--out", required=True)
    a = p.parse_args()
    import tifffile
    shape = tuple(int(v) for v in a.size.lower().split("x"))
    os.makedirs(a.out, exist_ok=True)
    for i in range(a.count):
        image, labels = make([a.seed, i], shape, a.empty)
        tifffile.imwrite(os.path.join(a.out, f"image_{i:03d}.tif"), image, imagej=True,
                         resolution=(1 / PIXEL_UM, 1 / PIXEL_UM), metadata={"unit": "um", "axes": "YX"})
        np.save(os.path.join(a.out, f"labels_{i:03d}.npy"), labels)


if __name__ == "__main__":
    main()
