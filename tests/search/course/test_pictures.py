"""Pictures: each is drawn without a screen, and shows the network that it is given."""

import numpy as np
import pytest
import torch
from matplotlib import image

from data import read
from search import tasks
from search.course.pictures import PICTURES, Window, digits


@pytest.fixture
def window(monkeypatch):
    """A window where there is no screen."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    window = Window()
    assert not window.live
    yield window
    window.close()


def network(name, **settings):
    """A task's untrained network, and its splits of the built-in data."""
    task = tasks.find(name)
    torch.manual_seed(0)
    arrays = read(task.DATA.prepare("builtin"))
    splits = {split: task.DATA.load(arrays, split) for split in ("train", "validation")}
    return task.build(task.Config(**settings)), splits


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_png(name, window, tmp_path):
    window.draw(name, *network(name), "a title")
    pixels = image.imread(window.write(tmp_path / "new" / "picture.png"))
    assert pixels.shape[:2] == (600, 800)
    assert pixels[..., :3].std() > 0.05  # something is on it


def test_without_a_screen_only_the_last_picture_is_drawn(window):
    window.show("regression", *network("regression"), "a title")
    assert not window.figure.axes


def test_a_live_picture_is_followed_by_a_pause(window):
    window.live = True
    window.show("regression", *network("regression"), "first")
    window.show("regression", *network("regression"), "too soon")
    assert window.figure.axes[0].get_title() == "first"


def test_drawing_leaves_chance_alone(window):
    for name in PICTURES:
        model, splits = network(name)
        before = torch.get_rng_state()
        window.draw(name, model, splits, "a title")
        assert torch.equal(torch.get_rng_state(), before)


def test_the_perceptrons_line_is_where_its_weights_are(window):
    model, splits = network("perceptron", epochs=3)
    model[1].weight.data = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    window.draw("perceptron", model, splits, "a title")
    (axes,) = window.figure.axes
    (line,) = axes.lines
    for x, y in (line.get_xy1(), line.get_xy2()):
        assert abs(x - 2 * y + 0.5) < 1e-9
    assert "draw 2" in axes.get_xlabel()


def test_the_curve_is_the_networks(window):
    model, splits = network("regression")
    window.draw("regression", model, splits, "a title")
    points, curve = window.figure.axes[0].lines
    assert np.allclose(curve.get_ydata(), model(splits["train"].x_N1)[:, 0].detach())
    assert np.allclose(points.get_ydata(), splits["train"].y_N1[:, 0])


def test_digits_lie_at_the_probability_of_their_class(window):
    _, splits = network("digits")

    def sure(x_N784):  # of the digit 3, whatever the image
        return torch.nn.functional.one_hot(torch.full((len(x_N784),), 3), 10) * 100.0

    digits(window.figure, sure, splits["validation"], "a title")
    canvas = window.figure.axes[0].images[0].get_array()
    rows = [canvas[56 * digit : 56 * digit + 56] for digit in range(10)]
    for digit, row in enumerate(rows):
        left, right = (part[..., 1].min() < 0.9 for part in (row[:, :400], row[:, 400:]))  # ink
        assert (left, right) == (digit != 3, digit == 3)


def test_words_have_bars_of_their_probabilities(window):
    model, splits = network("langid")
    window.draw("langid", model, splits, "a title")
    (axes,) = window.figure.axes
    widths = np.array([bar.get_width() for bar in axes.patches]).reshape(20, 5)
    assert np.allclose(widths.sum(1), 1, atol=1e-5) and widths.std() > 0
    assert [text.get_text().split()[1] for text in axes.texts][::4] == [
        "English",
        "Spanish",
        "Finnish",
        "Dutch",
        "Polish",
    ]
