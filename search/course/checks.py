"""The course's demands on each question, except its score: one function per question.

Each takes a finished training (`grade.Trained`), and yields sentences, each with whether it holds.
The networks are compared with torch's own functions, or with the handout's formulas written out here.

B batch, D draws, H hidden units, K coordinates or classes, L letters, N points or images, T places.
"""

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from search.course.grade import Trained

Checks = Iterator[tuple[str, bool]]

LIMIT = 30  # seconds that the perceptrons may take
LETTERS, LONGEST, LANGUAGES = 47, 10, 5


def perceptron(trained: "Trained") -> Checks:
    """Question 1: the weight, the rule, and no mistake."""
    x_DNK, y_DN = trained.splits["train"]
    shape, weights = (1, x_DNK.shape[2]), [each.get_weights() for each in trained.model]
    fits = (isinstance(weight, nn.Parameter) and weight.shape == shape for weight in weights)
    yield f"the weight is a Parameter of shape {shape}", all(fits)
    x_NK = torch.cat([_random(100, shape[1], dtype=weights[0].dtype), torch.zeros_like(weights[0])])
    expected = [1 if (x_K * weights[0]).sum() >= 0 else -1 for x_K in x_NK]
    yield "+1 where the dot product is >= 0, else -1", _predicted(trained.model[0], x_NK) == expected
    draws = zip(trained.model, x_DNK, y_DN)
    right = (_predicted(each, x_NK) == y_N.tolist() for each, x_NK, y_N in draws)
    yield f"100% of the training points, in each of {len(trained.model)} draws", all(right)
    yield f"trained in {LIMIT} s or less", trained.seconds <= LIMIT


def regression(trained: "Trained") -> Checks:
    """Question 2: the shape of the output."""
    x_N1 = trained.splits["train"].x_N1
    yield "the output has shape (points, 1)", trained.model(x_N1).shape == x_N1.shape
    yield _divides(trained.config, len(x_N1), "points")


def digits(trained: "Trained") -> Checks:
    """Question 3: ten scores, which may be negative."""
    x_N784 = trained.splits["test"].x_N784
    scores_NK = trained.model(x_N784)
    yield "the scores have shape (images, 10)", scores_NK.shape == (len(x_N784), 10)
    yield "no ReLU after the last layer: scores are negative too", bool((scores_NK < 0).any())
    yield _divides(trained.config, len(trained.splits["train"].y_N), "images")


def langid(trained: "Trained") -> Checks:
    """Question 4: words of every length, read letter by letter."""
    model = trained.model
    words_LB = [_random(length, 20).mul(1e6).long() % LETTERS for length in range(1, LONGEST + 1)]
    fits = (model(x_LB).shape == (x_LB.shape[1], LANGUAGES) for x_LB in words_LB)
    yield "the scores have shape (words, 5), for words of every length", all(fits)
    same = (_same(model(x_LB), _read(model, x_LB)) for x_LB in words_LB)
    yield "z_0 = x_0 W_x, z_i = x_i W_x + h_i W_hidden", all(same)
    x_LB = words_LB[-1]
    another_LB = torch.cat([(x_LB[:1] + 1) % LETTERS, x_LB[1:]])
    yield "the first of ten letters matters", not _same(model(x_LB), model(another_LB))


def convolution(trained: "Trained") -> Checks:
    """Question 5: the convolution, against torch's."""
    convolve, right = trained.script.convolve, []
    for (height, width), dtype in itertools.product(
        [(3, 3), (5, 8), (28, 28)], [torch.float32, torch.float64]
    ):
        for rows, columns in [(1, 1), (2, 3), (3, 2), (3, 3)]:
            x, weight = _random(height, width, dtype=dtype), _random(rows, columns, dtype=dtype)
            right.append(_same(convolve(x, weight), F.conv2d(x[None, None], weight[None, None])[0, 0]))
    yield "Convolve is torch's conv2d, for all shapes and types tried", all(right)
    x_N784 = trained.splits["test"].x_N784
    yield "the scores have shape (images, 10)", trained.model(x_N784).shape == (len(x_N784), 10)


def attention(trained: "Trained") -> Checks:
    """Question 6: the attention, against torch's, and that it does not look ahead."""
    layer, block = trained.model.attention, trained.model.block_size
    mask = dict(layer.named_buffers()).get("mask", torch.empty(0))
    yield f"the mask is a buffer of shape (1, 1, {block}, {block})", mask.shape == (1, 1, block, block)
    inputs_BTC = [_random(3, places, layer.q_layer.in_features) for places in (1, 2, block)]
    same = (_same(layer(x_BTC), _attend(layer, x_BTC)) for x_BTC in inputs_BTC)
    yield "it is torch's scaled dot-product attention", all(same)
    x_BTC = inputs_BTC[-1]
    half = block // 2
    changed_BTC = torch.cat([x_BTC[:, :half], x_BTC[:, half:] + 1], 1)
    yield "later places change no earlier one", _same(layer(x_BTC)[:, :half], layer(changed_BTC)[:, :half])


def chargpt(trained: "Trained") -> Checks:
    """Question 7 is for fun: it has no checks."""
    yield from ()


def _divides(config: Any, number: int, things: str) -> tuple[str, bool]:
    sentence = f"the batch size, {config.batch_size}, divides the {number:,} {things}"
    return sentence, number % config.batch_size == 0


def _predicted(perceptron: Any, x_NK: Tensor) -> list[int]:
    return [perceptron.get_prediction(x_1K) for x_1K in x_NK.split(1)]


def _read(model: Any, x_LB: Tensor) -> Tensor:
    """The scores (B, K) of words by the handout's recurrence: one W_x for all letters."""
    for layer in model.layers:
        x_LBH = layer.inputs(x_LB)  # x_i W_x
        states_BH = [torch.relu(x_LBH[0])]
        for z_BH in x_LBH[1:]:
            states_BH.append(torch.relu(z_BH + states_BH[-1] @ layer.hidden.weight.T))
        x_LB = torch.stack(states_BH)
    scores_BK: Tensor = model.output(states_BH[-1])
    return scores_BK


def _attend(layer: Any, x_BTC: Tensor) -> Tensor:
    q_BTC, k_BTC, v_BTC = layer.q_layer(x_BTC), layer.k_layer(x_BTC), layer.v_layer(x_BTC)
    return F.scaled_dot_product_attention(q_BTC, k_BTC, v_BTC, is_causal=True)


def _random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random numbers, the same at each call. torch's global generator is not used."""
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(math.prod(shape)))


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have one shape and type, and are equal except for rounding."""
    return a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b, rtol=1e-4, atol=1e-5)
