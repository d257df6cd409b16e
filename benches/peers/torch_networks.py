"""The networks of model_cases.py in PyTorch, from the same parameters."""

import numpy as np
import torch
from torch.nn import functional

import image_networks
from image_networks import pads


def dense(x, parameters):
    weights, bias = next(parameters), next(parameters)
    return torch.addmm(bias, x, weights)


def perceptron(x, parameters):
    """As many layers as there are parameters."""
    weights_and_biases = list(parameters)
    for i in range(0, len(weights_and_biases), 2):
        x = dense(functional.relu(x) if i else x, iter(weights_and_biases[i : i + 2]))
    return x


def channels_first(x):
    """A view of images as PyTorch has them; in memory, the channels stay last."""
    return x.permute(0, 3, 1, 2)


def lenet(x, parameters):
    x = channels_first(x)
    for _ in range(2):
        filters, bias = next(parameters), next(parameters)
        x = functional.relu(functional.conv2d(x, filters, bias, padding=2))
        x = functional.max_pool2d(x, 2)
    return perceptron(x.permute(0, 2, 3, 1).flatten(1), parameters)


def lstm(x, parameters):
    weights, bias = parameters
    h = c = x.new_zeros(x.shape[1], weights.shape[1] // 4)
    for x_t in x.unbind():
        gates = torch.addmm(bias, torch.cat([x_t, h], 1), weights)
        i, j, f, o = gates.chunk(4, 1)
        c = c * torch.sigmoid(f + 1) + torch.sigmoid(i) * torch.tanh(j)
        h = torch.tanh(c) * torch.sigmoid(o)
    return h


def layer_norm(x, parameters):
    scale, offset = next(parameters), next(parameters)
    return functional.layer_norm(x, scale.shape, scale, offset, 1e-5)


def transformer(x, parameters, heads=8):
    batch, length, width = x.shape
    x = x.view(batch * length, width)
    by_heads = lambda x: x.view(batch, length, heads, width // heads).transpose(1, 2)
    query, key, value = (by_heads(dense(x, parameters)) for _ in range(3))
    attention = functional.scaled_dot_product_attention(query, key, value)
    attention = attention.transpose(1, 2).reshape(batch * length, width)
    x = layer_norm(x + dense(attention, parameters), parameters)
    hidden = functional.relu(dense(x, parameters))
    x = layer_norm(x + dense(hidden, parameters), parameters)
    return x.view(batch, length, width)


class Layers:
    """Those of image_networks.py."""

    def __init__(self, parameters):
        self.parameters = parameters

    def window(self, x, size, stride, padding):
        """The input and the padding, which PyTorch's layers only take if it is symmetric."""
        before, after = pads(padding, size, stride)
        if before == after:
            return x, before
        return functional.pad(x, (before, after, before, after)), 0

    def conv(self, x, outputs, size, stride, padding, bias):
        x, padding = self.window(x, size, stride, padding)
        filters = next(self.parameters)
        bias = next(self.parameters) if bias else None
        return functional.conv2d(x, filters, bias, stride, padding)

    def depthwise(self, x, size, stride, padding):
        x, padding = self.window(x, size, stride, padding)
        return functional.conv2d(
            x, next(self.parameters), None, stride, padding, groups=x.shape[1]
        )

    def norm(self, x, epsilon, scale=1.0):
        scale, offset, mean, variance = (next(self.parameters) for _ in range(4))
        return functional.batch_norm(x, mean, variance, scale, offset, eps=epsilon)

    def relu(self, x):
        return functional.relu(x)

    def relu6(self, x):
        return functional.relu6(x)

    def add(self, x, y):
        return x + y

    def max_pool(self, x, size, stride, padding):
        # After a rectifier, zeros around the image are no larger than what is in it.
        x, padding = self.window(x, size, stride, padding)
        return functional.max_pool2d(x, size, stride, padding)

    def classify(self, x, classes):
        return functional.softmax(dense(x.mean((2, 3)), self.parameters), 1)


def image_network(network):
    return lambda x, parameters: network(Layers(parameters), channels_first(x))


# The output of each network, and the loss that compares it with the second of the fed values.
NETWORKS = {
    "mlp": (perceptron, functional.cross_entropy),
    "lenet": (lenet, functional.cross_entropy),
    "lstm": (lstm, functional.mse_loss),
    "transformer": (transformer, functional.mse_loss),
    **{name: (image_network(of), None) for name, of in image_networks.NETWORKS.items()},
}


def as_parameter(array):
    """An array as PyTorch has it: filters by output, and in memory with the input last."""
    tensor = torch.from_numpy(array)
    if tensor.dim() == 4:
        is_depthwise = tensor.shape[3] == 1
        tensor = tensor.permute(2, 3, 0, 1) if is_depthwise else tensor.permute(3, 2, 0, 1)
        tensor = tensor.contiguous(memory_format=torch.channels_last)
    return torch.nn.Parameter(tensor)


class Network(torch.nn.Module):
    def __init__(self, output, arrays):
        super().__init__()
        self.output = output
        self.weights = torch.nn.ParameterList(map(as_parameter, arrays))

    def forward(self, x):
        return self.output(x, iter(self.weights))


class Lstm(torch.nn.Module):
    """The network `lstm` by PyTorch's own layer."""

    def __init__(self, arrays):
        super().__init__()
        weights, bias = arrays
        width = weights.shape[1] // 4
        # TensorFlow's cell has the gates i, j, f, o, and adds 1 to f; PyTorch's has i, f, j, o.
        reorder = lambda gates: np.concatenate([np.split(gates, 4, -1)[i] for i in (0, 2, 1, 3)], -1)
        weights = torch.from_numpy(reorder(weights).T)
        bias = torch.from_numpy(reorder(bias + np.repeat(np.float32([0, 0, 1, 0]), width)))
        self.layer = torch.nn.LSTM(weights.shape[1] - width, width)
        of_inputs, of_state, of_bias, unused_bias = self.layer.parameters()
        of_inputs.data = weights[:, :-width].contiguous()
        of_state.data = weights[:, -width:].contiguous()
        of_bias.data = bias
        unused_bias.data.zero_()
        # The other bias is enough, and alone is what the case trains.
        unused_bias.requires_grad = False

    def forward(self, x):
        return self.layer(x)[0][-1]


def chain_of_12(x):
    y = (x * 1.1).add_(0.5).tanh_().sigmoid_().exp_()
    return y.sub_(x).square_().abs_().sqrt_().clamp_min_(0.1).mul_(x).clamp_max_(2)


# Operations by the beginnings of the names of their cases.
OPERATIONS = {
    "chain_": chain_of_12,
    "product_": torch.matmul,
    "add": torch.add,
    "sum_all": torch.sum,
    "sum_0": lambda x: x.sum(0),
    "sum_1": lambda x: x.sum(1),
    "softmax": lambda x: torch.softmax(x, 1),
    "transpose": lambda x: x.t().contiguous(),
    "gather": lambda table, indices: table.index_select(0, indices),
}
