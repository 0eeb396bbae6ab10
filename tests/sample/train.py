#!/usr/bin/python3
"""Trains the nuclei U-Net of this folder on synthetic images and writes every file next to it.

    /usr/bin/python3 train.py                 train, export, write images and expected values, evaluate
    /usr/bin/python3 train.py --evaluate      only measure nuclei.pt (kept in --work) on unseen images

Needs Debian 12's python3-torch python3-numpy python3-scipy python3-onnx python3-tifffile.
"""
import argparse
import os
import time

import numpy as np
import onnx
import tifffile
import torch
import torch.nn.functional as F
from scipy import ndimage as ndi
from torch import nn

import synth

HERE = os.path.dirname(os.path.abspath(__file__))
TRAIN_SEED, NET_SEED = 1000, 7       # make([1000, i])
UNSEEN_SEED, SAMPLE_SEED = 2000, 3000  # never used in training
WIDTHS = (16, 32, 48, 64)


class Block(nn.Sequential):
    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(),
                         nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class UNet(nn.Module):
    """Height and width must be multiples of 8."""

    def __init__(self, widths=WIDTHS):
        super().__init__()
        ins = (1,) + widths[:-1]
        self.down = nn.ModuleList(Block(i, o) for i, o in zip(ins, widths))
        self.up = nn.ModuleList(Block(a + b, a) for a, b in zip(widths[:-1], widths[1:]))
        self.head = nn.Conv2d(widths[0], 1, 1)

    def logits(self, x):
        skips = []
        for k, block in enumerate(self.down):
            x = block(x if k == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        skips.pop()
        for block in reversed(self.up):
            x = block(torch.cat([skips.pop(), F.interpolate(x, scale_factor=2, mode="nearest")], 1))
        return self.head(x)

    def forward(self, x):
        return torch.sigmoid(self.logits(x))


def training_set(count, size):
    """Normalised images, targets and loss weights: gaps between nuclei count most."""
    images, targets, weights = [], [], []
    for i in range(count):
        image, labels = synth.make([TRAIN_SEED, i], (size, size), empty=i % 20 == 19)
        t = synth.target(labels)
        gap = (labels > 0) & ~t
        images.append(synth.normalise(image))
        targets.append(t)
        weights.append(1 + 5 * ndi.binary_dilation(gap, iterations=1).astype(np.float32))
    return np.stack(images), np.stack(targets).astype(np.float32), np.stack(weights)


def batch(rng, data, n, crop):
    out = []
    for _ in range(n):
        i = rng.integers(len(data[0]))
        y, x = rng.integers(0, data[0].shape[1] - crop + 1, 2)
        turn, flip = rng.integers(4), rng.integers(2)
        parts = [np.rot90(d[i, y:y + crop, x:x + crop], turn) for d in data]
        parts = [p[:, ::-1] if flip else p for p in parts]
        parts[0] = parts[0] * rng.uniform(0.85, 1.15) + rng.uniform(-0.1, 0.1)
        out.append([np.ascontiguousarray(p, np.float32) for p in parts])
    return [torch.from_numpy(np.stack(c)[:, None]) for c in zip(*out)]


def train(steps, minutes, images):
    torch.manual_seed(NET_SEED)
    rng = np.random.default_rng(NET_SEED)
    start = time.time()
    data = training_set(images, 320)
    print(f"{images} training images drawn in {time.time() - start:.0f} s", flush=True)
    net = UNet()
    print(f"{sum(p.numel() for p in net.parameters())} parameters", flush=True)
    opt = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-4)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 4e-3, total_steps=steps, pct_start=0.15)
    running = None
    for step in range(steps):
        x, t, w = batch(rng, data, 8, 128)
        z = net.logits(x)
        p = torch.sigmoid(z)
        bce = (F.binary_cross_entropy_with_logits(z, t, reduction="none") * w).mean()
        dice = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        loss = bce + 0.5 * dice
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        plan.step()
        running = loss.item() if running is None else 0.97 * running + 0.03 * loss.item()
        if step % 25 == 0 or step == steps - 1:
            print(f"step {step} loss {running:.4f} {(time.time() - start) / 60:.1f} min", flush=True)
        if minutes and time.time() - start > 60 * minutes:
            raise SystemExit("training took longer than --minutes; lower --steps")
    print(f"trained in {(time.time() - start) / 60:.1f} min", flush=True)
    return net.eval()


def predict(net, image):
    with torch.no_grad():
        return net(torch.from_numpy(synth.normalise(image))[None, None])[0, 0].numpy()


def evaluate(net, count, size=256):
    """IoU at 0.5 and object counts on images that were not used in training."""
    iou, full, found, true, matched, best = [], [], 0, 0, 0, []
    for i in range(count):
        image, labels = synth.make([UNSEEN_SEED, i], (size, size))
        p = predict(net, image) > 0.5
        t = synth.target(labels)
        iou.append((p & t).sum() / max(1, (p | t).sum()))
        full.append((p & (labels > 0)).sum() / max(1, (p | (labels > 0)).sum()))
        objects, n = ndi.label(p)
        found, true = found + n, true + int(labels.max())
        pairs = np.zeros((n + 1, int(labels.max()) + 1), np.int64)
        np.add.at(pairs, (objects.ravel(), labels.ravel()), 1)
        a, b = pairs.sum(1, keepdims=True), pairs.sum(0, keepdims=True)
        j = pairs / np.maximum(1, a + b - pairs)
        matched += int((j[1:, 1:] > 0.5).sum())
    print(f"{count} unseen images {size}x{size}, threshold 0.5")
    print(f"IoU against the training target: mean {np.mean(iou):.4f} min {np.min(iou):.4f} (image {np.argmin(iou)})")
    print(f"IoU against labels > 0:          mean {np.mean(full):.4f} min {np.min(full):.4f}")
    print(f"objects (4-connected): {found} found, {true} true, {matched} matched at IoU > 0.5")
    blank = [synth.make([UNSEEN_SEED, i], (size, size), empty=True)[0] for i in range(20)]
    false = [ndi.label(predict(net, b) > 0.5)[1] for b in blank]
    print(f"20 unseen images without nuclei: {np.mean(false):.2f} objects found each, at most {max(false)}", flush=True)
    return iou


def export(net, path):
    """BatchNormalization stays in the graph: a converter has to fold it."""
    torch.onnx.export(net, torch.zeros(1, 1, 64, 64), path, opset_version=13, input_names=["image"],
                      output_names=["probability"], training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False,
                      dynamic_axes={k: {0: "batch", 2: "height", 3: "width"} for k in ("image", "probability")})
    model = onnx.load(path)
    model.doc_string = ("fovea sample: foreground probability of nuclei. Input: (x - mean) / (std + 1e-6) of the whole "
                        "image; height and width multiples of 8. Apache-2.0.")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def write(net):
    um = 1 / synth.PIXEL_UM

    def tiff(name, array, unit, **more):
        path = os.path.join(HERE, name)
        tifffile.imwrite(path, array, imagej=True, resolution=(um, um), metadata={"unit": unit, "axes": "YX"}, **more)

    image, labels = synth.make([SAMPLE_SEED, 1], (512, 512))
    tiff("nuclei.tif", image, "micron")
    tiff("nuclei_labels.tif", labels, "micron", compression="zlib")
    os.makedirs(os.path.join(HERE, "unseen"), exist_ok=True)
    for i in range(4):
        small, truth = synth.make([UNSEEN_SEED, i], (256, 256))
        tiff(f"unseen/image_{i}.tif", small, "um", compression="zlib")
        tiff(f"unseen/labels_{i}.tif", truth, "um", compression="zlib")
    x = synth.normalise(image)[None, None, 200:264, 200:264].copy()
    with torch.no_grad():
        y = net(torch.from_numpy(x)).numpy()
    np.save(os.path.join(HERE, "input.npy"), x)
    np.save(os.path.join(HERE, "expected.npy"), y)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--steps", type=int, default=2400)
    a.add_argument("--images", type=int, default=400)
    a.add_argument("--minutes", type=float, default=0, help="give up after so long (0: never)")
    a.add_argument("--work", default="/tmp/fovea-sample", help="folder for nuclei.pt, the weights as torch keeps them")
    a.add_argument("--evaluate", action="store_true")
    a.add_argument("--count", type=int, default=40)
    a = a.parse_args()
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    os.makedirs(a.work, exist_ok=True)
    kept = os.path.join(a.work, "nuclei.pt")
    if a.evaluate:
        net = UNet().eval()
        net.load_state_dict(torch.load(kept))
    else:
        net = train(a.steps, a.minutes, a.images)
        torch.save(net.state_dict(), kept)
        export(net, os.path.join(HERE, "nuclei.onnx"))
        write(net)
    evaluate(net, a.count)


if __name__ == "__main__":
    main()
