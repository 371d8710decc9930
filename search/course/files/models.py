"""The networks of questions 1 to 6. Their sizes are those that a search found."""

from torch import matmul, ones, stack, tensordot, tril
from torch.nn import Linear, Module, Parameter
from torch.nn.functional import relu, softmax

REGRESSION = {"hidden_size": 200, "layers": 2}
DIGITS = {"hidden_size": 300, "layers": 1}
LANGID = {"hidden_size": 300, "layers": 1}
CONVOLUTION = {"hidden_size": 200, "layers": 1}


class PerceptronModel(Module):
    """A weight for each dimension; +1 on one side of the line, -1 on the other."""

    def __init__(self, dimensions):
        super().__init__()
        self.w = Parameter(ones(1, dimensions))

    def get_weights(self):
        """The weights, of shape (1, dimensions)."""
        return self.w

    def forward(self, x):
        """The dot product of the weights with each row of x (batch, dimensions): (batch, 1)."""
        return matmul(x.to(self.w.dtype), self.w.T)

    def get_prediction(self, x):
        """+1 where the dot product is not negative, else -1, for one point (1, dimensions)."""
        return 1 if self(x).item() >= 0 else -1


class Layers(Module):
    """Linear layers with a ReLU between each two, and none after the last."""

    def __init__(self, inputs, hidden_size, layers, outputs):
        super().__init__()
        widths = [inputs] + layers * [hidden_size] + [outputs]
        self.linear = [Linear(*pair) for pair in zip(widths, widths[1:])]
        for number, layer in enumerate(self.linear):
            self.add_module(f"linear{number}", layer)

    def forward(self, x):
        for layer in self.linear[:-1]:
            x = relu(layer(x))
        return self.linear[-1](x)


class RegressionModel(Layers):
    """Approximates sin(x): from (batch, 1) to (batch, 1)."""

    def __init__(self):
        super().__init__(1, REGRESSION["hidden_size"], REGRESSION["layers"], 1)


class DigitClassificationModel(Layers):
    """Scores the ten digits: from (batch, 784) to (batch, 10)."""

    def __init__(self):
        super().__init__(28 * 28, DIGITS["hidden_size"], DIGITS["layers"], 10)


class LanguageIDModel(Module):
    """Reads a word letter by letter; the state after the last one decides.

    z_0 = x_0 W_x, z_i = x_i W_x + h_i W_hidden, with a ReLU after each; a deeper layer reads the
    states of the one below.
    """

    def __init__(self):
        super().__init__()
        size, layers = LANGID["hidden_size"], LANGID["layers"]
        self.inputs = [Linear(47 if layer == 0 else size, size) for layer in range(layers)]
        self.hidden = [Linear(size, size, bias=False) for _ in range(layers)]
        for number, (inputs, hidden) in enumerate(zip(self.inputs, self.hidden)):
            self.add_module(f"inputs{number}", inputs)
            self.add_module(f"hidden{number}", hidden)
        self.output = Linear(size, 5)

    def forward(self, xs):
        """Scores (batch, 5) of words given as (letters, batch, 47), or as a list of (batch, 47)."""
        states = xs if isinstance(xs, list) else list(xs)
        for inputs, hidden in zip(self.inputs, self.hidden):
            first, *rest = inputs(stack(states))
            states = [relu(first)]
            for z in rest:
                states.append(relu(z + hidden(states[-1])))
        return self.output(states[-1])


def Convolve(input, weight):
    """Valid 2-D convolution (as cross-correlation) of a matrix, or of each in a batch of them."""
    height, width = weight.shape
    windows = input.unfold(-2, height, 1).unfold(-2, width, 1)
    return tensordot(windows, weight, dims=2)


class DigitConvolutionalModel(Module):
    """Scores the ten digits after one 3x3 convolution: from (batch, 784) to (batch, 10)."""

    def __init__(self):
        super().__init__()
        self.convolution_weights = Parameter(ones(3, 3) / 9)
        self.layers = Layers(26 * 26, CONVOLUTION["hidden_size"], CONVOLUTION["layers"], 10)

    def forward(self, x):
        images = Convolve(x.reshape(len(x), 28, 28), self.convolution_weights)
        return self.layers(images.flatten(start_dim=1))


class Attention(Module):
    """Causal attention: softmax(mask(Q K^T / sqrt(layer size))) V."""

    def __init__(self, layer_size, block_size):
        super().__init__()
        self.k_layer = Linear(layer_size, layer_size)
        self.q_layer = Linear(layer_size, layer_size)
        self.v_layer = Linear(layer_size, layer_size)
        self.register_buffer("mask", tril(ones(block_size, block_size)).view(1, 1, block_size, block_size))
        self.layer_size = layer_size

    def forward(self, input):
        """From (batch, letters, layer size) to the same."""
        letters = input.size(1)
        k, q, v = self.k_layer(input), self.q_layer(input), self.v_layer(input)
        scores = matmul(q, k.transpose(1, 2)) / self.layer_size**0.5
        scores = scores.masked_fill(self.mask[0, :, :letters, :letters] == 0, float("-inf"))
        return matmul(softmax(scores, dim=-1), v)


AttentionBlock = Attention
