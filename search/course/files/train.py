"""How the networks of questions 1 to 5 are trained, with the settings that a search found.

A dataset encodes one sample at a time, which takes longer than training on it. So each is read
once, as one batch, and what is shuffled afterwards are the numbers of its rows.
"""

from losses import digitclassifier_loss, digitconvolution_Loss, languageid_loss, regression_loss
from torch import movedim, no_grad, optim
from torch.utils.data import DataLoader

REGRESSION = {"learning_rate": 1e-3, "batch_size": 20, "epochs": 400}
DIGITS = {"learning_rate": 1e-3, "batch_size": 100, "epochs": 6}
LANGID = {"learning_rate": 2e-3, "batch_size": 64, "epochs": 8}
CONVOLUTION = {"learning_rate": 1e-3, "batch_size": 20, "epochs": 20}

ROUNDS = 3  # trainings in a row at the most, should one end below what is wanted
ENOUGH_LOSS = 1e-3  # of regression; the bar is 0.02
ENOUGH_DIGITS = 0.977  # of validation images; the bar is 97%
ENOUGH_LANGID = 0.87  # of validation words; the bar is 81%
ENOUGH_CONVOLUTION = 0.85  # of validation images; the bar is 80%

SURE = 0.9  # of a word's label; the rest is spread over all languages: some words are of several


def train_perceptron(model, dataset):
    """Add label * x on each mistake, until one whole pass makes none."""
    xs, labels = whole(dataset)
    points = list(zip(xs.split(1), labels.flatten().tolist()))
    with no_grad():
        mistakes = True
        while mistakes:
            mistakes = False
            for x, label in points:
                if model.get_prediction(x) != label:
                    model.w += label * x
                    mistakes = True


def train_regression(model, dataset):
    """Train until the loss on all points is far below the bar."""
    x, y = whole(dataset)
    for _ in range(ROUNDS):
        train(model, [(x, y)], regression_loss, **REGRESSION)
        if regression_loss(model(x), y).item() < ENOUGH_LOSS:
            return


def train_digitclassifier(model, dataset):
    """Train until the validation accuracy is above the bar, with a margin."""
    for _ in range(ROUNDS):
        train(model, [whole(dataset)], digitclassifier_loss, **DIGITS)
        if dataset.get_validation_accuracy() > ENOUGH_DIGITS:
            return


def train_languageid(model, dataset):
    """Train on words of one length at a time, without the rows of zeros behind the shorter ones."""
    x, y = whole(dataset)
    lengths = x.sum((1, 2)).round()
    buckets = []
    for length in sorted(set(lengths.tolist())):
        rows = lengths == length
        buckets.append((x[rows][:, : int(length)], SURE * y[rows] + (1 - SURE) / y.shape[1]))
    for _ in range(ROUNDS):
        train(model, buckets, languageid_loss, lambda x: movedim(x, 1, 0), **LANGID)
        if dataset.get_validation_accuracy() > ENOUGH_LANGID:
            return


def Train_DigitConvolution(model, dataset):
    """Train until the validation accuracy is above the bar, with a margin."""
    for _ in range(ROUNDS):
        train(model, [whole(dataset)], digitconvolution_Loss, **CONVOLUTION)
        if dataset.get_validation_accuracy() > ENOUGH_CONVOLUTION:
            return


train_digitconvolution = Train_DigitConvolution


def train(model, buckets, loss_of, arranged=lambda x: x, *, learning_rate, batch_size, epochs):
    """Adam, with a learning rate that falls to zero, on the samples of all buckets.

    `arranged` puts a batch of x into the order of axes that the model takes.
    """
    optimizer = optim.Adam(model.parameters(), lr=learning_rate)
    for epoch in range(epochs):
        batches = [batch for bucket in buckets for batch in rows_of(bucket, batch_size)]
        for step, index in enumerate(DataLoader(range(len(batches)), shuffle=True)):
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - (epoch + step / len(batches)) / epochs)
            (x, y), rows = batches[index.item()]
            loss = loss_of(model(arranged(x[rows])), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def rows_of(bucket, batch_size):
    """A bucket's samples in random order, as pairs of the bucket and a batch of row numbers."""
    numbers = DataLoader(range(len(bucket[1])), batch_size=batch_size, shuffle=True)
    return [(bucket, rows) for rows in numbers]


def whole(dataset):
    """All samples of a dataset: x, and the labels."""
    batch = next(iter(DataLoader(dataset, batch_size=len(dataset))))
    return batch["x"].float(), batch["label"].float()
