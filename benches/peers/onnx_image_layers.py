"""The layers of image_networks.py in ONNX."""

import numpy as np

from image_networks import pads


class Layers:
    def __init__(self, builder, parameters):
        self.builder, self.parameters = builder, iter(parameters)

    def next_constants(self, count):
        return [self.builder.constant(next(self.parameters)) for _ in range(count)]

    def window(self, size, stride, padding):
        before, after = pads(padding, size, stride)
        return {
            "kernel_shape": [size, size],
            "strides": [stride, stride],
            "pads": [before, before, after, after],
        }

    def conv(self, x, outputs, size, stride, padding, bias):
        filters = self.builder.constant(next(self.parameters).transpose(3, 2, 0, 1))
        window = self.window(size, stride, padding)
        return self.builder.add("Conv", x, filters, *self.next_constants(int(bias)), **window)

    def depthwise(self, x, size, stride, padding):
        filters = next(self.parameters).transpose(2, 3, 0, 1)
        window = self.window(size, stride, padding)
        filters, group = self.builder.constant(filters), filters.shape[0]
        return self.builder.add("Conv", x, filters, group=group, **window)

    def norm(self, x, epsilon, scale=1.0):
        return self.builder.add("BatchNormalization", x, *self.next_constants(4), epsilon=epsilon)

    def relu(self, x):
        return self.builder.add("Relu", x)

    def relu6(self, x):
        limits = [self.builder.constant(limit, np.float32) for limit in (0, 6)]
        return self.builder.add("Clip", x, *limits)

    def add(self, x, y):
        return self.builder.add("Add", x, y)

    def max_pool(self, x, size, stride, padding):
        # After a rectifier, zeros around the image are no larger than what is in it.
        return self.builder.add("MaxPool", x, **self.window(size, stride, padding))

    def classify(self, x, classes):
        x = self.builder.add("Flatten", self.builder.add("GlobalAveragePool", x))
        return self.builder.add("Softmax", self.builder.add("Gemm", x, *self.next_constants(2)))
