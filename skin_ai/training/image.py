"""Fine-tunes the image model, fold by fold, and keeps out-of-fold logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from accelerate.utils import set_seed
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from tqdm import tqdm

from skin_ai.predict.image_model import ImageModel, Preprocessing
from skin_ai.predict.photo import crop_square, read_photo
from skin_ai.training.augmentation import Augmentation, augment
from skin_ai.training.loop import fastest_precision, fit, save_once

SQUARE = 300  # pixels; the shorter side of the training photos
MEMBER_APART = 100  # between the seeds of members; those of folds differ by 1


@dataclass(frozen=True)
class ImageSettings:
    """All settings of the image model; saved with the result.

    weights: a safetensors file in timm's layout, or "" for timm's download; frozen: modules of the backbone
    that are not trained; averaging: decay of the weights' moving average; members: runs whose weights are
    averaged.
    """

    backbone: str = "tf_efficientnet_lite0"
    weights: str = ""
    frozen: tuple[str, ...] = ("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2")
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augmentation: Augmentation = field(default_factory=Augmentation)
    epochs: int = 16
    head_epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 1e-3
    head_learning_rate: float = 3e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    dropout: float = 0.2
    drop_path: float = 0.1
    averaging: float = 0.98
    members: int = 3
    views: int = 8
    seed: int = 42


class _Photos(Dataset[tuple[Tensor, int]]):
    def __init__(self, squares: list[np.ndarray], labels: np.ndarray, transform: v2.Transform) -> None:
        self.squares, self.labels, self.transform = squares, labels, transform

    def __len__(self) -> int:
        return len(self.squares)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(self.squares[index]).permute(2, 0, 1)
        return self.transform(pixels), int(self.labels[index])


def read_squares(paths: list[Path]) -> list[np.ndarray]:
    """(300, 300, 3) uint8 centre of each photo."""
    resize = Preprocessing(size=SQUARE).resize
    return [
        resize(crop_square(read_photo(path.read_bytes()))) for path in tqdm(paths, desc="photos", leave=False)
    ]


def pretrained(settings: ImageSettings, n_types: int) -> ImageModel:
    """The pretrained backbone with a new head."""
    model = ImageModel(settings.backbone, n_types, dropout=settings.dropout, drop_path=settings.drop_path)
    if settings.weights:
        state = load_file(settings.weights)
    else:
        state = timm.create_model(settings.backbone, pretrained=True).state_dict()
    wanted = model.backbone.state_dict()
    if missing := [name for name in wanted if name not in state]:
        raise ValueError(f"{settings.weights} does not fit {settings.backbone}: it lacks {missing[0]}.")
    model.backbone.load_state_dict({name: state[name].to(wanted[name].dtype) for name in wanted})
    return model


def log_prior(labels: np.ndarray, n_types: int) -> Tensor:
    """(K,) log frequency of each type; a type that never occurs counts as once."""
    counts = np.maximum(np.bincount(labels, minlength=n_types), 1)
    return torch.tensor(np.log(counts / counts.sum()), dtype=torch.float32)


def train_model(
    squares: list[np.ndarray], labels: np.ndarray, n_types: int, settings: ImageSettings, done: Path
) -> ImageModel:
    """The fine-tuned model, saved as `done`; resumes a killed run.

    Its weights are the mean of those of `members` runs, which start from the same head and differ in the
    order of the photos and in their random views (model soup, Wortsman et al. 2022): as good as an ensemble
    of them (`docs/training.md`), at the cost of one model.
    """
    model = ImageModel(settings.backbone, n_types)
    if not done.exists():
        paths = [done.with_name(f"{done.stem}-member{k}.safetensors") for k in range(settings.members)]
        for member, path in enumerate(paths):
            train_member(squares, labels, n_types, settings, member, path)
        save_once(lambda: _average(paths, done))
    model.load_state_dict(load_file(done))
    return model.eval()


def _average(paths: Sequence[Path], done: Path) -> None:
    states = [load_file(path) for path in paths]
    mean = {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
    }
    save_file(mean, done)
    for path in paths:
        path.unlink()


def train_member(
    squares: list[np.ndarray],
    labels: np.ndarray,
    n_types: int,
    settings: ImageSettings,
    member: int,
    done: Path,
) -> None:
    """One of the runs that `train_model` averages; saves its weights as `done`.

    The loss is cross-entropy of the logits plus the log prior (logit adjustment, Menon et al. 2021, eq. 10),
    so that the logits themselves are scores for equally frequent types.
    """
    if done.exists():
        return
    set_seed(settings.seed)
    model = pretrained(settings, n_types)
    prior = log_prior(labels, n_types)
    data = _Photos(squares, labels, augment(settings.augmentation, settings.preprocessing.size))
    model = model.to(memory_format=torch.channels_last)

    def batches(epoch: int) -> DataLoader[tuple[Tensor, int]]:
        return DataLoader(data, settings.batch_size, shuffle=True, drop_last=len(data) > settings.batch_size)

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        pixels, target = batch
        inputs = settings.preprocessing.normalize(pixels).contiguous(memory_format=torch.channels_last)
        logits = network(inputs).float() + prior.to(pixels.device)
        return cross_entropy(logits, target, label_smoothing=settings.label_smoothing)

    def start_epoch(network: nn.Module, epoch: int) -> None:
        assert isinstance(network, ImageModel)
        network.backbone.requires_grad_(epoch >= settings.head_epochs)
        # The earliest layers detect edges and colours, need no training on 950 photos, and cost most time.
        for name, module in network.backbone.named_modules():
            if name in settings.frozen:
                module.requires_grad_(False).eval()

    groups = [
        {"params": list(model.backbone.parameters()), "lr": settings.learning_rate},
        {"params": list(model.head.parameters()), "lr": settings.head_learning_rate},
    ]
    checkpoint = done.with_suffix(".checkpoint")
    trained = fit(
        model,
        groups,
        batches,
        loss,
        epochs=settings.epochs,
        weight_decay=settings.weight_decay,
        averaging=settings.averaging,
        seed=settings.seed + MEMBER_APART * member,
        checkpoint=checkpoint,
        start_epoch=start_epoch,
        # On a CPU, the gradient of depthwise convolutions takes longer in bf16 (1.40 against 0.82 s).
        precision=fastest_precision() if torch.cuda.is_available() else "no",
    )
    assert isinstance(trained, ImageModel)
    weights = {name: value.contiguous() for name, value in trained.state_dict().items()}
    save_once(lambda: save_file(weights, done), checkpoint)


def predict_logits(model: ImageModel, squares: list[np.ndarray], settings: ImageSettings) -> np.ndarray:
    """(n, K) logits for equally frequent types, mean over views, as in the app."""
    rows = []
    with torch.inference_mode():
        for square in tqdm(squares, desc="predicting", leave=False):
            features = model.feature_map_of_views(settings.preprocessing(square), settings.views)
            rows.append(model.logits(features)[0])
    return torch.stack(rows).numpy()


@dataclass(frozen=True)
class OutOfFold:
    """The image models of all folds; each predicts only photos of its held-out patients.

    folds: (n,) the fold of each photo; temperatures: (folds,) by which the logits of its model are divided.
    """

    models: Sequence[ImageModel]
    settings: ImageSettings
    folds: np.ndarray
    temperatures: np.ndarray

    def model(self, place: int) -> ImageModel:
        """The model that was not trained on the patient of this photo."""
        return self.models[self.folds[place]]

    def features(self, place: int, square: np.ndarray, views: int | None = None) -> Tensor:
        """(C, h, w) feature map of any version of a photo, (s, s, 3) uint8, as in the app."""
        with torch.inference_mode():
            inputs = self.settings.preprocessing(square)
            return self.model(place).feature_map_of_views(inputs, views or self.settings.views)[0]

    def probabilities(self, place: int, square: np.ndarray, views: int | None = None) -> np.ndarray:
        """(K,) calibrated, for equally frequent types."""
        with torch.inference_mode():
            logits = self.model(place).logits(self.features(place, square, views)[None])[0]
            return (logits / float(self.temperatures[self.folds[place]])).softmax(0).numpy()


def load_out_of_fold(
    work: Path, settings: ImageSettings, folds: np.ndarray, temperatures: np.ndarray, n_types: int
) -> OutOfFold:
    """The models that `out_of_fold_logits` saved in `work`."""
    models = []
    for fold in range(int(folds.max()) + 1):
        model = ImageModel(settings.backbone, n_types)
        model.load_state_dict(load_file(work / f"image-fold{fold}.safetensors"))
        models.append(model.eval().requires_grad_(False))
    return OutOfFold(models, settings, folds, temperatures)


def out_of_fold_logits(
    squares: Callable[[], list[np.ndarray]],
    labels: np.ndarray,
    folds: np.ndarray,
    n_types: int,
    settings: ImageSettings,
    work: Path,
) -> np.ndarray:
    """(n, K) logits, each from a model trained on the other folds; `squares` is called for missing folds."""
    logits = np.zeros((len(labels), n_types), dtype=np.float32)
    for fold in range(int(folds.max()) + 1):
        saved = work / f"image-fold{fold}-logits.safetensors"
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not saved.exists():
            own = replace(settings, seed=settings.seed + fold)
            done = work / f"image-fold{fold}.safetensors"
            model = train_model([squares()[i] for i in train], labels[train], n_types, own, done)
            predicted = predict_logits(model, [squares()[i] for i in test], settings)
            save_once(partial(save_file, {"logits": torch.from_numpy(predicted)}, saved))
        logits[test] = load_file(saved)["logits"].numpy()
    return logits
