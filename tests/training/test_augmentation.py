import numpy as np
import pytest
import torch
from PIL import Image

from skin_ai.training.augmentation import INK_COLOURS, Augmentation, Coarsen, DrawInk, augment, draw_ink

PAPER = (250, 250, 250)  # far from every ink in all three channels


@pytest.fixture
def photo():
    return torch.randint(0, 256, (3, 300, 300), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("size", (64, 224, 260))
@pytest.mark.parametrize(
    "settings",
    (Augmentation(), Augmentation(ink=1, coarse=1, erase=1), Augmentation(1.0, 0, 0, 0, 0)),
    ids=("usual", "everything", "framing only"),
)
def test_view_has_the_size_that_was_asked_for(photo, settings, size):
    torch.manual_seed(0)
    view = augment(settings, size)(photo)
    assert view.shape == (3, size, size)
    assert view.dtype == torch.uint8


def test_same_seed_gives_the_same_view_and_another_seed_another(photo):
    transform = augment(Augmentation(ink=1), 64)
    views = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        views.append(transform(photo))
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_photo_itself_is_left_as_it_was(photo):
    before = photo.clone()
    augment(Augmentation(ink=1, coarse=1, erase=1), 64)(photo)
    assert torch.equal(photo, before)


@pytest.mark.parametrize("seed", range(12))
def test_ink_is_a_thin_mark_in_an_ink_colour(seed):
    image = Image.new("RGB", (300, 300), PAPER)
    drawn = np.asarray(draw_ink(image, np.random.default_rng(seed))).astype(float)
    changed = np.abs(drawn - PAPER).max(2) > 20
    assert 0.001 < changed.mean() < 0.2
    # Every changed pixel lies between paper and one ink: the same share of it in all three channels.
    shares = [(np.array(PAPER) - drawn[changed]) / (np.array(PAPER) - np.array(ink)) for ink in INK_COLOURS]
    best = min(shares, key=lambda share: np.ptp(share, axis=1).max())
    assert np.ptp(best, axis=1).max() < 0.06
    assert 0.3 < best.max() < 0.8


def test_ink_is_drawn_from_its_generator():
    image = Image.new("RGB", (300, 300), PAPER)
    one, same, other = (np.asarray(draw_ink(image, np.random.default_rng(seed))) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_ink_on_a_tensor_keeps_shape_and_follows_torchs_seed(photo):
    torch.manual_seed(5)
    one = DrawInk()(photo)
    torch.manual_seed(5)
    assert torch.equal(one, DrawInk()(photo))
    assert one.shape == photo.shape
    assert not torch.equal(one, photo)


def test_coarse_photo_loses_detail_and_keeps_its_size(photo):
    torch.manual_seed(0)
    coarse = Coarsen()(photo)
    assert coarse.shape == photo.shape
    assert coarse.float().diff(dim=2).abs().mean() < 0.5 * photo.float().diff(dim=2).abs().mean()
    assert coarse.float().mean() == pytest.approx(photo.float().mean(), abs=3)
