"""ResNet-50 and MobileNetV2 as tf.keras.applications has them, for any framework.

`layers` has the methods of a framework: `conv`, `depthwise`, `norm`, `relu`, `relu6`, `add`,
`max_pool` and `classify`. Each takes its parameters in the order of the network. Padding is "SAME",
"VALID", or the numbers of zeros before and after, which a layer of their own adds.
"""


def pads(padding, size, stride):
    """The zeros before and after each row and column, whose length is a multiple of the stride."""
    if padding == "VALID":
        return 0, 0
    if padding == "SAME":
        return (size - stride) // 2, size - stride - (size - stride) // 2
    return padding


RESNET_EPSILON = 1.001e-5


def resnet50(layers, x):
    def conv(x, outputs, size=1, stride=1, padding="VALID", scale=1.0):
        x = layers.conv(x, outputs, size, stride, padding, bias=True)
        return layers.norm(x, RESNET_EPSILON, scale)

    def block(x, width, stride, is_first):
        shortcut = conv(x, 4 * width, stride=stride) if is_first else x
        x = layers.relu(conv(x, width, stride=stride))
        x = layers.relu(conv(x, width, size=3, padding="SAME"))
        # Small, so that values do not grow from block to block.
        return layers.relu(layers.add(shortcut, conv(x, 4 * width, scale=0.2)))

    x = layers.relu(conv(x, 64, size=7, stride=2, padding=(3, 3)))
    x = layers.max_pool(x, 3, 2, (1, 1))
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(blocks):
            x = block(x, width, 1 if i else stride, i == 0)
    return layers.classify(x, 1000)


MOBILENET_EPSILON = 1e-3


def mobilenet_v2(layers, x):
    def conv(x, outputs, size=1, stride=1):
        x = layers.conv(x, outputs, size, stride, "SAME", bias=False)
        return layers.norm(x, MOBILENET_EPSILON)

    def block(x, inputs, outputs, stride, expansion):
        y = x
        if expansion > 1:
            y = layers.relu6(conv(y, expansion * inputs))
        y = layers.depthwise(y, 3, stride, (0, 1) if stride == 2 else "SAME")
        y = conv(layers.relu6(layers.norm(y, MOBILENET_EPSILON)), outputs)
        return layers.add(x, y) if stride == 1 and inputs == outputs else y

    x = layers.relu6(conv(x, 32, size=3, stride=2))
    inputs = 32
    stages = (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    )
    for expansion, outputs, blocks, stride in stages:
        for i in range(blocks):
            x = block(x, inputs, outputs, 1 if i else stride, expansion)
            inputs = outputs
    return layers.classify(layers.relu6(conv(x, 1280)), 1000)


# By the beginnings of the names of their cases.
NETWORKS = {"resnet50": resnet50, "mobilenet_v2": mobilenet_v2}


def of_case(name):
    """The network of a case, or None."""
    matching = (network for beginning, network in NETWORKS.items() if name.startswith(beginning))
    return next(matching, None)
