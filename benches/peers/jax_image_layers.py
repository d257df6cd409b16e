"""The layers of image_networks.py in JAX."""

import jax
import numpy as np
from jax import lax

LAYOUT = ("NHWC", "HWIO", "NHWC")


def by_axis(padding):
    return padding if isinstance(padding, str) else (padding, padding)


class Layers:
    def __init__(self, parameters):
        self.parameters = parameters

    def convolve(self, x, filters, stride, padding, groups=1):
        return lax.conv_general_dilated(
            x,
            filters,
            (stride, stride),
            by_axis(padding),
            dimension_numbers=LAYOUT,
            feature_group_count=groups,
        )

    def conv(self, x, outputs, size, stride, padding, bias):
        x = self.convolve(x, next(self.parameters), stride, padding)
        return x + next(self.parameters) if bias else x

    def depthwise(self, x, size, stride, padding):
        filters = next(self.parameters).swapaxes(2, 3)
        return self.convolve(x, filters, stride, padding, groups=x.shape[3])

    def norm(self, x, epsilon, scale=1.0):
        scale, offset, mean, variance = (next(self.parameters) for _ in range(4))
        factor = scale * lax.rsqrt(variance + np.float32(epsilon))
        return x * factor + (offset - mean * factor)

    relu = staticmethod(jax.nn.relu)
    relu6 = staticmethod(jax.nn.relu6)
    add = staticmethod(lax.add)

    def max_pool(self, x, size, stride, padding):
        window, strides = (1, size, size, 1), (1, stride, stride, 1)
        padding = ((0, 0), padding, padding, (0, 0))
        return lax.reduce_window(x, np.float32(-np.inf), lax.max, window, strides, padding)

    def classify(self, x, classes):
        x = x.mean((1, 2))
        return jax.nn.softmax(x @ next(self.parameters) + next(self.parameters))
