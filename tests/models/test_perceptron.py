"""The perceptron, as the course's grader uses it."""

import torch

from models.perceptron import PerceptronModel


def test_weights_are_a_parameter_of_one_row():
    model = PerceptronModel(5)
    assert isinstance(model.get_weights(), torch.nn.Parameter)
    assert model.get_weights().shape == (1, 5)


def test_the_dot_product_of_each_point():
    model = PerceptronModel(2)
    model.weight.data = torch.tensor([[1.0, -2.0]])
    assert model(torch.tensor([[3.0, 1.0], [0.0, 4.0]])).tolist() == [[1.0], [-8.0]]


def test_zero_counts_as_positive():
    model = PerceptronModel(2)
    assert model.get_prediction(torch.ones(1, 2)) == 1
    model.weight.data = torch.tensor([[-1.0, 0.0]])
    assert [model.get_prediction(torch.tensor([point])) for point in ([1.0, 9.0], [-1.0, 9.0])] == [-1, 1]
