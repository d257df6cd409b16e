"""The networks of image_networks.py as frozen graphs of TensorFlow."""

import numpy as np

from graphs import constant, fed, noise, tf, uniform

IMAGE = (224, 224, 3)


def padded(x, padding):
    """The padding that is left for the operation itself, and its input."""
    if isinstance(padding, str):
        return padding, x
    return "VALID", tf.pad(x, [(0, 0), padding, padding, (0, 0)])


class Layers:
    def conv(self, x, outputs, size, stride, padding, bias):
        padding, x = padded(x, padding)
        inputs = x.shape[-1]
        scale = np.float32(np.sqrt(2 / (inputs * size**2)))
        filters = constant(noise(size, size, inputs, outputs) * scale)
        x = tf.nn.conv2d(x, filters, stride, padding)
        return tf.nn.bias_add(x, constant(noise(outputs) * np.float32(0.1))) if bias else x

    def depthwise(self, x, size, stride, padding):
        padding, x = padded(x, padding)
        filters = constant(noise(size, size, x.shape[-1], 1) * np.float32(np.sqrt(2) / size))
        return tf.nn.depthwise_conv2d(x, filters, [1, stride, stride, 1], padding)

    def norm(self, x, epsilon, scale=1.0):
        channels = x.shape[-1]
        of_scale, offset = np.full(channels, scale, np.float32), noise(channels) * np.float32(0.1)
        mean, variance = noise(channels) * np.float32(0.1), uniform(0.5, 1.5, channels)
        parameters = map(constant, (of_scale, offset, mean, variance))
        return tf.compat.v1.nn.fused_batch_norm(
            x, *parameters, epsilon=epsilon, is_training=False
        )[0]

    relu = staticmethod(tf.nn.relu)
    relu6 = staticmethod(tf.nn.relu6)
    add = staticmethod(tf.add)

    def max_pool(self, x, size, stride, padding):
        padding, x = padded(x, padding)
        return tf.nn.max_pool2d(x, size, stride, padding)

    def classify(self, x, classes):
        x = tf.reduce_mean(x, [1, 2])
        weights = constant(noise(x.shape[-1], classes) / np.float32(np.sqrt(x.shape[-1])))
        bias = constant(noise(classes) * np.float32(0.1))
        return tf.nn.softmax(tf.nn.bias_add(tf.matmul(x, weights), bias))


def images(network, batch):
    return lambda: network(Layers(), fed(noise(batch, *IMAGE)))
