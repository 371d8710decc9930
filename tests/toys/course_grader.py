"""A double of the course's grader, written from the handout: it trains and scores a bundle.

Run inside the bundle's folder: python course_grader.py WORDS IMAGES, two .npz files in the course's
format. Prints one JSON object: how good each question's model is on what it is graded by.
"""

import json
import sys
import time

import losses
import models
import numpy as np
import torch
import train
from torch.utils.data import Dataset


class Samples(Dataset):
    """Hands out one dictionary at a time, as the course's datasets do."""

    def __init__(self, x, label, validate=None):
        self.x, self.label, self.validate = x, label, validate

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"x": torch.tensor(self.x[index]), "label": torch.tensor(self.label[index])}

    def get_validation_accuracy(self):
        return self.validate()


class Words(Samples):
    """One-hot letters, with rows of zeros behind a word that is short."""

    def __getitem__(self, index):
        x = np.zeros((10, 47), dtype=np.float32)
        letters = self.x[index][self.x[index] >= 0]
        x[np.arange(len(letters)), letters] = 1
        return {"x": torch.tensor(x), "label": torch.tensor(self.label[index])}


def one_hot(labels, classes):
    return np.eye(classes, dtype=np.float32)[labels]


@torch.no_grad()
def share_right(model, x, y):
    return (model(torch.tensor(x)).argmax(1).numpy() == y).mean().item()


@torch.no_grad()
def words_right(model, x, y):
    """Whole buckets of unpadded words of one length."""
    right, lengths = 0, (x >= 0).sum(1)
    for length in np.unique(lengths):
        rows = lengths == length
        letters = torch.tensor(one_hot(x[rows][:, :length], 47)).movedim(1, 0)
        right += (model(letters).argmax(1).numpy() == y[rows]).sum()
    return float(right / len(y))


def perceptron():
    random = np.random.RandomState(0)
    x = random.randn(200, 3).astype(np.float32)
    x[:, 2] = 1
    y = np.where(x @ np.array([1.0, -2.0, 0.5]) >= 0, 1, -1)
    model = models.PerceptronModel(3)
    train.train_perceptron(model, Samples(x, y))
    predicted = [model.get_prediction(torch.tensor(point[None])) for point in x]
    assert model.get_weights().shape == (1, 3) and set(predicted) == {1, -1}
    return float(np.mean(predicted == y))


def regression():
    x = np.linspace(-2 * np.pi, 2 * np.pi, 200, dtype=np.float32)[:, None]
    model = models.RegressionModel()
    train.train_regression(model, Samples(x, np.sin(x)))
    return losses.regression_loss(model(torch.tensor(x)), torch.tensor(np.sin(x))).item()


def digits(images):
    model = models.DigitClassificationModel()
    test = images["test_images"], images["test_labels"]
    labels = one_hot(images["train_labels"], 10)
    train.train_digitclassifier(
        model, Samples(images["train_images"], labels, lambda: share_right(model, *test))
    )
    return share_right(model, *test)


def language(words):
    model = models.LanguageIDModel()
    assert model([torch.zeros(7, 47)] * 3).shape == model(torch.zeros(3, 7, 47)).shape == (7, 5)
    dev = words["dev_x"], words["dev_y"]
    labels = one_hot(words["train_y"], 5)
    train.train_languageid(model, Words(words["train_x"], labels, lambda: words_right(model, *dev)))
    return words_right(model, words["test_x"], words["test_y"])


def convolution(images):
    model = models.DigitConvolutionalModel()
    x, y = images["train_images"][:200], images["train_labels"][:200]
    train.Train_DigitConvolution(model, Samples(x, one_hot(y, 10), lambda: share_right(model, x, y)))
    return share_right(model, x, y)


def exact():
    """The largest differences of Convolve and Attention to other ways to compute them."""
    image, weight = torch.rand(9, 7), torch.rand(3, 2)
    convolved = torch.nn.functional.conv2d(image[None, None], weight[None, None])[0, 0]
    block, x = models.Attention(6, 5), torch.rand(2, 5, 6)
    q, k, v = block.q_layer(x), block.k_layer(x), block.v_layer(x)
    attended = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert block.mask.shape == (1, 1, 5, 5) and models.AttentionBlock is models.Attention
    return max(
        (models.Convolve(image, weight) - convolved).abs().max().item(),
        (block(x) - attended).abs().max().item(),
    )


def main(words, images):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    words, images = dict(np.load(words)), dict(np.load(images))
    graded = {}
    for name, grade in {
        "perceptron": perceptron,
        "regression": regression,
        "digits": lambda: digits(images),
        "language": lambda: language(words),
        "convolution": lambda: convolution(images),
        "exact": exact,
    }.items():
        started = time.perf_counter()
        graded[name] = grade(), time.perf_counter() - started
    print(json.dumps(graded))


main(*sys.argv[1:])
