"""`make check`: what the author of a task sees, and that nothing is written."""

import pytest
import torch
import torch._dynamo  # noqa: F401  (an optimizer imports it: on a busy machine for longer than a rehearsal takes)

from search import paths
from search.cli.app import main
from search.cli.sessions.rehearsal import rehearse, torch_build
from search.errors import TaskError


def test_check_a_good_task_says_what_it_saw_and_writes_nothing(write_task, home, capsys):
    write_task("good")
    assert main(["check", "--task", "good"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Task good: Where does a line meet a number?"
    assert said[1] == "  searched   x: 0.0 to 1.0" and said[2] == "  network    2 weights"
    assert said[-3].startswith(f"  torch      {torch.__version__}, built for ")
    assert said[-2].startswith("  training   4 of 4 epochs in ") and "; err 0." in said[-2]
    assert said[-1] == "The contract holds: make search TASK=good"
    assert not home.exists() and not paths.studies().exists()


@pytest.mark.parametrize(
    "cuda, hip, said",
    [(None, None, "CPU"), ("12.8", None, "CUDA 12.8"), (None, "6.4.43484", "ROCm 6.4.43484")],
)
def test_torch_build_names_what_torch_was_built_for(cuda, hip, said, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", hip)
    assert torch_build() == f"{torch.__version__}, built for {said}"


@pytest.mark.parametrize(
    "change, said",
    [
        (("        report(epoch", "        epoch % 50 or report(epoch"), "train"),
        (("        report(epoch", "        report(str(epoch)"), "report"),
        (('"train_loss": loss.item(), ', ""), "train_loss"),
        (("    return model\n", "    raise SystemExit(3)\n"), "sys.exit(3)"),
        (
            ("    return squares_N1.mean().item(), ", "    return -squares_N1.mean().item(), -"),
            "standard error",
        ),
    ],
)
def test_check_what_only_training_shows_is_one_line(write_task, capsys, change, said):
    write_task("bad", change)
    assert main(["check", "--task", "bad"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: task 'bad': the training failed: ")
    assert said in error


def test_rehearse_a_long_training_ends_it_with_its_next_report(write_task):
    lines = list(
        rehearse(write_task("long", ("epochs: int = 4", "epochs: int = 1000000")), None, seconds=0.05)
    )
    assert " of 1000000 epochs in " in lines[-2]


def test_rehearse_a_task_with_a_mistake_raises_it(write_task):
    with pytest.raises(TaskError, match="TOLERANCE is 'x'"):
        list(rehearse(write_task("bad", ("= 1e-6", "= 'x'")), None))
