#!/usr/bin/python3
"""Writes the seeds of the ONNX, TIFF and NPY fuzz targets: small files of our own that reach most of the readers' branches.

usage: /usr/bin/python3 make_corpus.py      (Debian: python3-onnx python3-numpy python3-tifffile); writes corpus/ beside itself.
"""
import os

import numpy as np
import onnx
import tifffile
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
RANDOM = np.random.default_rng(1)


def folder(name):
    path = os.path.join(HERE, name)
    os.makedirs(path, exist_ok=True)
    return path


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def save_onnx(name, nodes, initializers, inputs, outputs, opset=13):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 7
    onnx.save(model, os.path.join(folder("onnx"), name + ".onnx"))


def tensor(name, dims, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, dims)


def onnx_seeds():
    node = helper.make_node
    w = RANDOM.standard_normal((4, 1, 3, 3)).astype(np.float32)
    save_onnx(
        "unet",
        [
            node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1]),
            node("BatchNormalization", ["a", "s", "b", "b", "s"], ["n"]),
            node("Relu", ["n"], ["r"]),
            node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Resize", ["p", "", "scales"], ["u"], mode="nearest"),
            node("Concat", ["u", "r"], ["c"], axis=1),
            node("ConvTranspose", ["c", "wt"], ["t"], strides=[2, 2]),
            node("Sigmoid", ["t"], ["y"]),
        ],
        [
            constant("w", w),
            constant("b", np.zeros(4, np.float32)),
            constant("s", np.ones(4, np.float32)),
            constant("scales", np.array([1, 1, 2, 2], np.float32)),
            constant("wt", RANDOM.standard_normal((8, 1, 2, 2)).astype(np.float32)),
        ],
        [tensor("x", ["n", 1, "h", "w"])],
        [tensor("y", None)],
    )
    save_onnx(
        "sizes",
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "two"], ["h"], axis=0),
            node("Unsqueeze", ["h", "zero"], ["h1"]),
            node("Mul", ["h1", "twov"], ["h2"]),
            node("Slice", ["s", "zero", "twov"], ["nc"]),
            node("Concat", ["nc", "h2", "h2"], ["size"], axis=0),
            node("Resize", ["x", "", "", "size"], ["u"], mode="linear"),
            node("Pad", ["u", "pads"], ["y"], mode="reflect"),
        ],
        [
            constant("two", np.array(2)),
            constant("zero", np.array([0])),
            constant("twov", np.array([2])),
            constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1])),
        ],
        [tensor("x", [1, 2, "h", "w"])],
        [tensor("y", None)],
    )
    save_onnx(
        "tokens",
        [
            node("Reshape", ["x", "shape"], ["r"]),
            node("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
            node("MatMul", ["r", "t"], ["m"]),
            node("Softmax", ["m"], ["s"], axis=-1),
            node("ReduceMean", ["s"], ["y"], axes=[1], keepdims=0),
        ],
        [constant("shape", np.array([0, 4, -1]))],
        [tensor("x", [1, 4, 3, 3])],
        [tensor("y", None)],
    )


def tiff_seeds():
    path = folder("tiff")
    image = (RANDOM.random((2, 20, 24)) * 255).astype(np.uint8)
    tifffile.imwrite(os.path.join(path, "imagej.tif"), image.astype(np.uint16), imagej=True, resolution=(2, 2),
                     metadata={"unit": "um", "axes": "ZYX", "spacing": 1.5, "Labels": ["one", "two"]})
    tifffile.imwrite(os.path.join(path, "tiled.tif"), image[0], tile=(16, 16), compression="zlib", predictor=True)
    tifffile.imwrite(os.path.join(path, "float.ome.tif"), image.astype(np.float32), metadata={"axes": "CYX"}, ome=True)
    tifffile.imwrite(os.path.join(path, "big.tif"), image[0], bigtiff=True, byteorder=">")
    tifffile.imwrite(os.path.join(path, "planar.tif"), np.moveaxis(np.stack([image[0]] * 3), 0, 0), photometric="rgb",
                     planarconfig="separate")


def npy_seeds():
    path = folder("npy")
    np.save(os.path.join(path, "c.npy"), RANDOM.random((3, 4)))
    np.save(os.path.join(path, "fortran.npy"), np.asfortranarray(RANDOM.random((3, 4)).astype(">f4")))
    np.save(os.path.join(path, "scalar.npy"), np.array(7, np.int64))


if __name__ == "__main__":
    onnx_seeds()
    tiff_seeds()
    npy_seeds()
