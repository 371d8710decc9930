"""One picture per task of the network while it trains, as the course shows it.

A picture is a function of a figure, a network, a split of its data (never the test split) and a title.
A window shows it where there is a screen. The last picture is written as PNG in any case.

B batch, K classes, L letters, N points, images or words.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from data.words import LANGUAGES, LETTERS
from search.course.backend import wrong_backend

try:
    import matplotlib
    from matplotlib import pyplot as plt
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Patch
except ValueError:
    raise wrong_backend() from None

BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#c8321e", "#999999"
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9")  # that colour-blind people can tell apart
IMAGES = 40  # of each digit
ROW, WIDTH = 56, 800  # of a canvas for them, in pixels
WORDS = 4  # of each language
PAUSE = 4  # times the time that a picture took: the shortest pause after it


class Window:
    """A figure, in a window if there is a screen.

    `live` is true while the window is open.
    """

    def __init__(self) -> None:
        self.figure: Any = _figure()  # its canvas has more methods with each toolkit
        self.live = self.figure.canvas.required_interactive_framework is not None
        self._next = 0.0  # when another picture may be drawn
        if self.live:
            self.figure.canvas.mpl_connect("close_event", self._closed)
            self.figure.show()

    def knows(self, task: str) -> bool:
        """Whether there is a picture of a task."""
        return task in PICTURES

    def show(self, task: str, model: Any, splits: Mapping[str, Any], title: str) -> None:
        """Draw, as `draw` does, if there is a screen and the pause after the last picture is over."""
        began = time.perf_counter()
        if self.live and began >= self._next:
            self.draw(task, model, splits, title)
            self._next = time.perf_counter() + PAUSE * (time.perf_counter() - began)

    def draw(self, task: str, model: Any, splits: Mapping[str, Any], title: str) -> None:
        """Draw the picture of a task's network."""
        split, picture = PICTURES[task]
        self.paint(picture, model, splits[split], title)

    def paint(self, picture: Callable[..., None], *args: Any) -> None:
        """Draw any picture: a function of a figure and these arguments."""
        self.figure.clear()
        picture(self.figure, *args)
        if self.live:
            self.figure.canvas.draw_idle()
            self.figure.canvas.start_event_loop(0.01)

    def write(self, path: Path) -> Path:
        """Write the figure as PNG. Returns the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.figure.savefig(path, format="png", dpi=100)
        return path

    def close(self) -> None:
        plt.close(self.figure)

    def _closed(self, _: object) -> None:
        self.live = False


def _figure() -> Figure:
    """A figure of the first backend that works; the last, Agg, needs no screen."""
    try:
        return plt.figure("Trialbook", figsize=(8, 6), layout="constrained")
    except Exception:  # each toolkit has its own error for a screen that it cannot use
        matplotlib.use("agg")
        return plt.figure("Trialbook", figsize=(8, 6), layout="constrained")


def perceptron(figure: Figure, model: Any, draws: Any, title: str) -> None:
    """The points of the draw that was last trained on, and the line between their kinds."""
    trained = [number for number, each in enumerate(model) if each.weight.any()] or [0]
    x_NK, y_N = draws.x_DNK[trained[-1]].numpy(), draws.y_DN[trained[-1]].numpy()
    a, b, offset = model[trained[-1]].weight.detach()[0].tolist()
    axes = figure.add_subplot(aspect="equal", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
    axes.set(title=title, xlabel=f"the points of draw {trained[-1] + 1}")
    for label, marker, colour in ((1, "+", BLUE), (-1, "o", ORANGE)):
        x, y, *_ = x_NK[y_N == label].T
        axes.scatter(x, y, 30, colour, marker=marker, label=f"{label:+d}", linewidths=1)
    if a or b:
        foot = -offset * np.array([a, b]) / (a * a + b * b)  # the line's point nearest to the origin
        axes.axline(foot, foot + [-b, a], color="black", label="the weights' line")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


@torch.no_grad()
def curve(figure: Figure, model: Any, points: Any, title: str) -> None:
    """The curve of the network over sin(x) and the points that it trains on."""
    x_N, fitted_N = points.x_N1[:, 0].numpy(), model(points.x_N1)[:, 0].numpy()
    axes = figure.add_subplot(xlabel="x", ylim=(-1.5, 1.5), title=title)
    axes.plot(x_N, points.y_N1[:, 0].numpy(), ".", color=GREY, label=f"sin(x), {len(x_N)} points to train on")
    axes.plot(x_N, fitted_N, color=BLUE, label="the network")
    axes.set_xticks(np.pi * np.arange(-2, 3), ["−2π", "−π", "0", "π", "2π"])
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")


@torch.no_grad()
def digits(figure: Figure, model: Any, images: Any, title: str) -> None:
    """A row of images for each digit; an image lies at the probability that the network gives that digit."""
    canvas = np.ones((10 * ROW, WIDTH, 3))
    for digit in range(10):
        x_N784 = images.x_N784[images.y_N == digit][:IMAGES]
        probability_NK = model(x_N784).softmax(1)
        right_N = probability_NK.argmax(1) == digit
        lefts_N = _across(probability_NK[:, digit].numpy()).round().astype(int) - 14
        for number in right_N.int().argsort(descending=True).tolist():  # mistakes last, and so on top
            top = ROW * digit + 6 * (number % 5)
            spot = canvas[top : top + 28, lefts_N[number] : lefts_N[number] + 28]
            ink = x_N784[number].reshape(28, 28, 1).numpy()
            spot[:] = (1 - ink) * spot + ink * to_rgb(BLUE if right_N[number] else RED)
    axes = figure.add_subplot(title=title, xlabel="probability of the right digit (log-odds scale)")
    axes.imshow(canvas)
    shown = [1e-5, 1e-3, 0.1, 0.5, 0.9, 0.999, 0.99999]
    axes.set_xticks(_across(shown), [np.format_float_positional(each) for each in shown])
    axes.set_yticks(ROW * np.arange(10) + ROW / 2, [str(digit) for digit in range(10)])
    axes.set_ylabel("digit; red where another one is more probable")
    axes.axvline(_across(0.5), color=GREY, linestyle="dotted")


def _across(probability: ArrayLike) -> Any:
    """Where a probability lies on the canvas: evenly by ln(p / (1 - p)), the outermost for 1e-6 and less."""
    p = np.clip(np.asarray(probability, np.float64), 1e-6, 1 - 1e-6)
    return WIDTH / 2 + (WIDTH / 2 - 14) * np.log(p / (1 - p)) / np.log(1e6)


@torch.no_grad()
def words(figure: Figure, model: Any, words: Any, title: str) -> None:
    """Some words of each language, with the probabilities of the five."""
    axes = figure.add_subplot(xlim=(0, 1), xlabel="probability")
    names = list(LANGUAGES.values())
    rows = [row for label in range(5) for row in _spread(np.flatnonzero(words.y_N.numpy() == label), WORDS)]
    for place, row in enumerate(rows):
        letters_L = words.x_NL[row][words.x_NL[row] >= 0]
        probabilities, label = model(letters_L[:, None])[0].softmax(0).numpy(), words.y_N[row].item()
        lefts = probabilities.cumsum() - probabilities
        axes.barh([place] * 5, probabilities, 0.8, lefts, color=COLOURS)
        guess = int(probabilities.argmax())
        shown = f"{probabilities[label]:.0%} {names[label]}"
        axes.text(1.01, place, shown, va="center", color="black" if guess == label else RED)
    spelt = ["".join(LETTERS[letter] for letter in words.x_NL[row] if letter >= 0) for row in rows]
    axes.set_yticks(range(len(rows)), spelt)
    axes.invert_yaxis()
    patches = [Patch(color=colour) for colour in COLOURS]
    figure.legend(patches, names, loc="outside upper center", ncols=5, title=title)


def _spread(rows: NDArray[np.int64], number: int) -> list[int]:
    """So many rows, evenly spread: short words and long ones."""
    return rows[np.linspace(0, len(rows) - 1, number, dtype=int)].tolist() if len(rows) else []


def spinning(figure: Figure, degrees: float) -> None:
    """A line segment in a circle, turned by so many degrees, with its earlier positions."""
    axes = figure.add_subplot(
        aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), title="a segment that spins"
    )
    axes.add_patch(Circle((0, 0), 1, fill=False, color=GREY, linestyle="dotted"))
    for age in range(9):
        angle = np.radians(degrees - 8 * age)
        axes.plot(*np.outer([np.cos(angle), np.sin(angle)], [-1, 1]), color=BLUE, linewidth=3, alpha=0.6**age)
    axes.set_axis_off()


PICTURES: dict[str, tuple[str, Callable[..., None]]] = {  # task: the split, and the picture of it
    "perceptron": ("train", perceptron),
    "regression": ("train", curve),
    "digits": ("validation", digits),
    "langid": ("validation", words),
    "convolution": ("validation", digits),
}
