"""The cases as ONNX models, with the parameters of their folders as constants.

They are written as an exporter would at its best: with the operations of ONNX that are made for
them, such as LSTM and LayerNormalization.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

import image_networks
from onnx_image_layers import Layers

OPSET, IR_VERSION = 17, 8


class Builder:
    """A model under construction; values are their names."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, array, dtype=None):
        name = f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(array, dtype))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def model(self, inputs, output, dtype):
        self.nodes.append(helper.make_node("Identity", [output], ["output"]))
        output = helper.make_tensor_value_info("output", dtype, None)
        graph = helper.make_graph(self.nodes, "case", inputs, [output], self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def perceptron(m, x, parameters):
    for i in range(0, len(parameters), 2):
        weights, bias = map(m.constant, parameters[i : i + 2])
        x = m.add("Gemm", m.add("Relu", x) if i else x, weights, bias)
    return x


def lenet(m, x, parameters):
    x = m.add("Transpose", x, perm=[0, 3, 1, 2])
    for filters, bias in (parameters[:2], parameters[2:4]):
        filters = m.constant(filters.transpose(3, 2, 0, 1))
        x = m.add("Conv", x, filters, m.constant(bias), pads=[2] * 4, kernel_shape=[5, 5])
        x = m.add("MaxPool", m.add("Relu", x), kernel_shape=[2, 2], strides=[2, 2])
    x = m.add("Flatten", m.add("Transpose", x, perm=[0, 2, 3, 1]))
    return perceptron(m, x, parameters[4:])


HIDDEN, BATCH, STEPS = 256, 32, 50


def lstm(m, x, parameters):
    weights, bias = parameters
    # TensorFlow's cell has the gates i, j, f, o, and adds 1 to f; ONNX's has i, o, f, j.
    reorder = lambda gates: np.concatenate([np.split(gates, 4, -1)[i] for i in (0, 3, 2, 1)], -1)
    weights = reorder(weights).T[None]
    of_inputs, of_state = weights[:, :, :-HIDDEN], weights[:, :, -HIDDEN:]
    bias = reorder(bias + np.repeat(np.float32([0, 0, 1, 0]), HIDDEN))
    biases = np.concatenate([bias, np.zeros_like(bias)])[None]
    constants = map(m.constant, (of_inputs, of_state, biases))
    _, last = m.add("LSTM", x, *constants, outputs=2, hidden_size=HIDDEN)
    return m.add("Squeeze", last, m.constant([0]))


def unrolled_lstm(m, x, parameters):
    weights, bias = map(m.constant, parameters)
    one, axis = m.constant(1, np.float32), m.constant([0])
    h = c = m.constant(np.zeros((BATCH, HIDDEN), np.float32))
    for x_t in m.add("Split", x, outputs=STEPS, axis=0):
        joined = m.add("Concat", m.add("Squeeze", x_t, axis), h, axis=1)
        i, j, f, o = m.add("Split", m.add("Gemm", joined, weights, bias), outputs=4, axis=1)
        kept = m.add("Mul", c, m.add("Sigmoid", m.add("Add", f, one)))
        c = m.add("Add", kept, m.add("Mul", m.add("Sigmoid", i), m.add("Tanh", j)))
        h = m.add("Mul", m.add("Tanh", c), m.add("Sigmoid", o))
    return h


BLOCK_SHAPE, HEADS = (8, 128, 512), 8


def transformer(m, x, parameters):
    batch, length, width = BLOCK_SHAPE
    parameters = map(m.constant, parameters)
    by_heads = m.constant([batch, length, HEADS, width // HEADS])

    def dense(x):
        return m.add("Add", m.add("MatMul", x, next(parameters)), next(parameters))

    def split(x, perm):
        return m.add("Transpose", m.add("Reshape", x, by_heads), perm=perm)

    def layer_norm(x):
        scale, offset = next(parameters), next(parameters)
        return m.add("LayerNormalization", x, scale, offset, axis=-1, epsilon=1e-5)

    query = split(dense(x), [0, 2, 1, 3])
    key = split(dense(x), [0, 2, 3, 1])
    value = split(dense(x), [0, 2, 1, 3])
    scale = m.constant(np.sqrt(width // HEADS), np.float32)
    scores = m.add("Softmax", m.add("Div", m.add("MatMul", query, key), scale), axis=-1)
    attention = m.add("Transpose", m.add("MatMul", scores, value), perm=[0, 2, 1, 3])
    attention = m.add("Reshape", attention, m.constant(BLOCK_SHAPE))
    x = layer_norm(m.add("Add", x, dense(attention)))
    return layer_norm(m.add("Add", x, dense(m.add("Relu", dense(x)))))


def chain_of_12(m, x):
    scalar = lambda number: m.constant(number, np.float32)
    y = m.add("Add", m.add("Mul", x, scalar(1.1)), scalar(0.5))
    y = m.add("Exp", m.add("Sigmoid", m.add("Tanh", y)))
    y = m.add("Sub", y, x)
    y = m.add("Sqrt", m.add("Abs", m.add("Mul", y, y)))
    y = m.add("Max", y, scalar(0.1))
    return m.add("Min", m.add("Mul", y, x), scalar(2))


def operation(op, **attributes):
    return lambda m, *inputs: m.add(op, *inputs, **attributes)


def sum_along(axis):
    return lambda m, x: m.add("ReduceSum", x, m.constant([axis]), keepdims=0)


NETWORKS = {
    "mlp_forward": perceptron,
    "lenet_forward": lenet,
    "lstm_unrolled_forward": unrolled_lstm,
    "lstm_loop_v1_forward": lstm,
    "lstm_loop_v2_forward": lstm,
    "transformer_forward": transformer,
}
# Operations by the beginnings of the names of their cases.
OPERATIONS = {
    "chain_": chain_of_12,
    "product_": operation("MatMul"),
    "add": operation("Add"),
    "sum_all": operation("ReduceSum", keepdims=0),
    "sum_0": sum_along(0),
    "sum_1": sum_along(1),
    "softmax": operation("Softmax", axis=-1),
    "transpose": operation("Transpose"),
    "gather": operation("Gather"),
}


def image_network(network):
    def build(m, x, parameters):
        return network(Layers(m, parameters), m.add("Transpose", x, perm=[0, 3, 1, 2]))

    return build


def write_model(folder):
    """Adds the model of a case that is written for ONNX."""
    if not folder.targets and (model := model_of(folder, folder.arrays("feed"))):
        folder.onnx.write_bytes(model.SerializeToString())


def model_of(folder, feeds):
    """The model of a case, or None; its inputs are the feeds in their order."""
    m = Builder()
    types = [helper.np_dtype_to_tensor_dtype(value.dtype) for value in feeds]
    inputs = [
        helper.make_tensor_value_info(f"input_{i}", dtype, value.shape)
        for i, (dtype, value) in enumerate(zip(types, feeds))
    ]
    names = [value.name for value in inputs]
    network = NETWORKS.get(folder.name)
    if of_images := image_networks.of_case(folder.name):
        network = image_network(of_images)
    if network:
        output = network(m, *names, folder.arrays("parameter"))
        return m.model(inputs, output, types[0])
    for beginning, build in OPERATIONS.items():
        if folder.name.startswith(beginning):
            return m.model(inputs, build(m, *names), types[0])
    return None
