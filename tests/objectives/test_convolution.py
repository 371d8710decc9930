"""Training on few digits, through a convolution."""

import data
from objectives import convolution
from search import tasks


def test_batch_sizes_divide_the_images():
    choices = tasks.ranges(convolution)["batch_size"].choices
    assert all(200 % size == 0 and size <= 128 for size in choices)


def test_it_knows_what_it_trained_on_and_most_others():
    arrays = data.read(convolution.DATA.prepare("builtin"))
    train, validation = (convolution.DATA.load(arrays, split) for split in ("train", "validation"))
    epochs = []
    config = convolution.Config(hidden_size=50, layers=1, batch_size=20, learning_rate=5e-3, epochs=11)
    model = convolution.train(config, train, validation, lambda epoch, _: epochs.append(epoch))
    assert convolution.score(model, train)[0] > 0.95
    assert 0.85 < convolution.score(model, validation)[0] < 1
    assert epochs == [2, 4, 6, 8, 10, 11]
