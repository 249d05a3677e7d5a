"""The configuration of a training run, typed and validated.

A method is not a class but a set of independent parts (``sam``, ``saner``, ``sals``, ``law``,
``loss``, ``mixup``, ``average``, ``bootstrap_rounds``), each present or absent; ``method`` names a
preset that fills them. Extra keys are refused.
"""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from tune_robust.errors import ConfigError
from tune_robust.validation import collect_problems


class Part(BaseModel):
    """A frozen group of settings. Unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


def _kind_shorthand(value: Any) -> Any:
    """``rho_schedule: step_decay`` is short for ``{kind: step_decay}``."""
    return {"kind": value} if isinstance(value, str) else value


def _name_shorthand(value: Any) -> Any:
    """``loss: gce`` is short for ``{name: gce}``."""
    return {"name": value} if isinstance(value, str) else value


def _own_name_shorthand(value: Any) -> Any:
    """``augment: "my_data:augment"`` is short for ``{name: "my_data:augment"}``."""
    return {"name": value} if is_own(value) else value


# --- own parts --------------------------------------------------------------------------------

BUILT_IN = "built-in"
"""The parts that this package has, by their names."""

OWN = "module:attribute"
"""Parts from elsewhere, by the names of a module and of what stands in it."""


LIBRARIES = ("timm", "torchvision", "sklearn")
"""The libraries whose parts go by a name of theirs, and not by a module's attribute."""


def is_own(name: object) -> bool:
    """Whether ``name`` is that of a part from elsewhere, as ``my_nets:Tiny``."""
    return isinstance(name, str) and ":" in name


def _well_formed(name: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:\w[\w.-]*", name):
        raise ValueError(f"found {name!r}; expected {OWN}, as in my_nets:Tiny")
    return name


OwnName = Annotated[str, AfterValidator(_well_formed)]
"""``module:attribute``, as entry points are written."""


def _plain(value: Any) -> Any:
    """Raises ValueError unless ``value`` is something that YAML and JSON can hold."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    finite = not isinstance(value, float) or math.isfinite(value)
    if value is None or (isinstance(value, (str, bool, int, float)) and finite):
        return value
    raise ValueError(
        f"found {value!r}; expected plain data: text, a finite number, true, false, null, or a "
        "list or mapping of these"
    )


Argument = Annotated[Any, AfterValidator(_plain)]
"""What a part from elsewhere may be called with."""


class OwnPart(Part):
    """A part from elsewhere: ``name`` is ``module:attribute``, all else are its arguments."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Argument] = Field(init=False)

    name: OwnName

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments, those that this package has a meaning for left out."""
        return dict(self.__pydantic_extra__)


def _by_name(value: Any) -> str | None:
    """Which of a group's alternatives is meant, by its ``name``."""
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return OWN if is_own(name) else name if isinstance(name, str) else None


def _own_or_not(value: Any) -> str:
    """Whether a name, or the group that has it, is that of a part from elsewhere."""
    return OWN if is_own(value) or _by_name(value) == OWN else BUILT_IN


# --- data -------------------------------------------------------------------------------------


class NoNoise(Part):
    """The labels of the data set, unchanged."""

    kind: Literal["none"] = "none"


class SymmetricNoise(Part):
    """Exactly int(rate * n) labels replaced by a uniformly drawn class.

    ``true_class: excluded`` draws among the other classes; ``included`` draws among all of them, so
    that the effective rate is rate * (1 - 1/K).
    """

    kind: Literal["symmetric"] = "symmetric"
    rate: Fraction
    true_class: Literal["excluded", "included"] = "excluded"


def _index_as_text(value: Any) -> Any:
    """Convert a class index to text, since keys of JSON objects are always text."""
    return str(value) if type(value) is int else value


@dataclass(frozen=True)
class FileSetting:
    """Marks a setting that names a file or a folder.

    ``beside_data``: whether a relative path is searched in the data's folder first. ``names``:
    values that are not paths. ``or_name``: a text without a folder or suffix is a name, unless
    there is such a file. ``or_text``: any text may be something else, unless there is such a file.
    """

    beside_data: bool = False
    names: tuple[str, ...] = ()
    or_name: bool = False
    or_text: bool = False


NoiseFile = Annotated[str, Field(min_length=1), FileSetting(beside_data=True)]
"""A file of labels, which may be in the data's folder."""

ClassName = Annotated[str, BeforeValidator(_index_as_text)]
"""A class by its name or, where no class has that name, by its index."""


class AsymmetricNoise(Part):
    """Labels that are confused with certain other classes, such as similar-looking ones.

    Exactly int(rate * n) of the n images of each affected class get a wrong label. ``class_map``,
    {from: to} by name or index, lists the confused classes. By default, CIFAR-10 uses truck to
    automobile, bird to airplane, deer to horse, and cat and dog to each other (Patrini et al.
    2017), and CIFAR-100 the next class of the same superclass. ``class_map: next_class`` maps class
    y to (y + 1) mod K, as the code of SANER does on CIFAR-100. ``transition_matrix`` replaces both:
    row i holds the probabilities of the labels given to an image of class i.
    """

    kind: Literal["asymmetric"] = "asymmetric"
    rate: Fraction | None = None
    class_map: (
        Literal["next_class"] | Annotated[dict[ClassName, ClassName], Field(min_length=1)] | None
    ) = None
    transition_matrix: tuple[tuple[Fraction, ...], ...] | None = None

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _rate_or_matrix(self) -> Self:
        if self.transition_matrix is None:
            if self.rate is None:
                raise ValueError("asymmetric noise needs a rate, or else a transition_matrix")
            return self
        beside = [name for name in ("rate", "class_map") if getattr(self, name) is not None]
        if beside:
            raise ValueError(
                "transition_matrix already contains the rates and classes: leave out "
                f"{' and '.join(beside)}"
            )
        for number, row in enumerate(self.transition_matrix):
            if len(row) != len(self.transition_matrix):
                raise ValueError(
                    f"transition_matrix has {len(self.transition_matrix)} rows, but {len(row)} "
                    f"values in row {number}: it must be square, one row and column per class"
                )
            if abs(math.fsum(row) - 1) > 1e-6:
                raise ValueError(
                    f"transition_matrix: row {number} adds up to {math.fsum(row):g}; the "
                    "probabilities of a row must add up to 1"
                )
        return self


class InstanceNoise(Part):
    """Labels that depend on the image itself (Xia et al. 2020, arXiv 2006.07836).

    ``variant: xia`` is the published algorithm, on pixels in [0, 1]: ``rate`` is the centre of the
    images' own flip rates, which are normal with standard deviation 0.1, truncated to [0, 1]. Near
    either end the fraction of wrong labels is therefore further inside (0.1 gives about 0.13).
    ``variant: saner`` is what the code of SANER draws (Luong et al., arXiv 2411.17132): images
    normalised per channel, and exactly int(rate * n) wrong labels. Its wrong labels are spread over
    more classes.
    """

    kind: Literal["instance"] = "instance"
    rate: Annotated[float, Field(gt=0, le=1)]
    variant: Literal["xia", "saner"] = "xia"


class HumanNoise(Part):
    """Labels by human annotators: CIFAR-10N, CIFAR-100N (Wei et al. 2022, arXiv 2110.12088).

    ``file``: CIFAR-10_human.pt or CIFAR-100_human.pt, looked for in the data folder first. ``key``
    selects one of its label sets. For CIFAR-10, 9.01 % (``aggre_label``), 17.23 %, 18.12 % and
    17.64 % (``random_label1`` to ``3``) or 40.21 % (``worse_label``) of the labels are wrong; for
    CIFAR-100, 40.20 % (``noisy_label``) or, of the superclasses, 26.40 %
    (``noisy_coarse_label``).
    """

    kind: Literal["human"] = "human"
    file: NoiseFile
    key: Literal[
        "aggre_label",
        "random_label1",
        "random_label2",
        "random_label3",
        "worse_label",
        "noisy_label",
        "noisy_coarse_label",
    ]

    @model_validator(mode="after")
    def _in_the_original_order(self) -> Self:
        if self.file.endswith(".npy"):
            raise ValueError(
                f"{self.file} is one of CIFAR-N's .npy files, whose images are in another order "
                "(that of TensorFlow Datasets): use CIFAR-10_human.pt or CIFAR-100_human.pt"
            )
        return self


class GivenNoise(Part):
    """Noisy labels that come with the data.

    ``file``: a CSV file with a header and one row per training image, in the order of the data set
    unless a column ``file`` names the images; its column ``key`` holds the labels, as class names
    or indices. Without a file, ``key`` is a column of the Parquet files or an array of the npz
    file. Without either, the labels of the data set are the noisy ones and the true labels are
    unknown; metrics that need them are NaN. With a file or a key, the data set's own labels are the
    true ones, unless ``truth: unknown`` says that they are not. ``column`` is the earlier name of
    ``key``.
    """

    kind: Literal["given"] = "given"
    file: NoiseFile | None = None
    key: Annotated[str, Field(min_length=1)] | None = None
    truth: Literal["known", "unknown"] = "known"

    @model_validator(mode="before")
    @classmethod
    def _renamed_column(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "column" not in given:
            return given
        column, key = given["column"], given.get("key")
        if column is not None and key not in (None, column):
            raise ValueError(
                f"column is the earlier name of key, and they differ: {column!r} and {key!r}. "
                "Leave column out"
            )
        rest = {name: value for name, value in given.items() if name != "column"}
        return rest if column is None else rest | {"key": column}

    @property
    def truth_known(self) -> bool:
        """Whether the data set's own labels are the true ones."""
        return self.replaces_labels and self.truth == "known"

    @property
    def replaces_labels(self) -> bool:
        """Whether the noisy labels are others than the data set's own."""
        return self.file is not None or self.key is not None


Noise = Annotated[
    NoNoise | SymmetricNoise | AsymmetricNoise | InstanceNoise | HumanNoise | GivenNoise,
    BeforeValidator(_kind_shorthand),
    Field(discriminator="kind"),
]


class Validation(Part):
    """The part of the training images that is held out for validation.

    ``size``: the number of images, or a fraction of the training images if it is below 1. With
    ``labels: noisy`` (what a user with noisy labels has), it gets the same label noise as the
    training images; ``clean`` is for studies with a trusted validation set.
    """

    size: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] = 0.1
    labels: Literal["noisy", "clean"] = "noisy"


class Fold(Part):
    """A part of the training and validation images, held out in place of the validation part.

    They are divided at random into ``of`` folds of equal size, and ``index`` (from 1) is held out.
    The division depends on ``data.seed``. The labels are those without a fold, noise included.
    """

    index: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.index > self.of:
            raise ValueError(f"index: {self.index} is not one of {self.of} folds, 1 to {self.of}")
        return self


DEFAULT_DATA_DIR = Path("~/data")
"""The default folder of data sets and downloads."""


ENCODED = ("parquet", "folder", "webdataset")
"""The data sets of encoded images, of any size, which may stay compressed."""


class DataConfig(Part):
    """The data set, its label noise and its split. ``seed`` fixes the split and the noise.

    ``dir``: the folder with the files. ``label_column``: the column of a ``parquet`` data set that
    holds the labels, if there are several; for ``cifar100``, ``fine_label`` or ``coarse_label`` (20
    superclasses). ``test_size``: how much of the training images is held out as the test set if the
    data have none, a number or a fraction, by default 0.1. ``image_size``: the side in pixels; the
    shorter side of each image is scaled to it and the centre is cropped. ``images``: whether they
    are decoded once, into a file, or stay ``compressed`` and are decoded for each batch; ``auto``
    keeps those compressed that would take more than 32 GiB at ``image_size``. ``subset`` and
    ``test_subset`` keep only a number or a fraction of the training and test images, with the class
    proportions unchanged; the test subset does not depend on ``seed``. ``fold: {index: 2, of: 5}``
    trains on four fifths of the training and validation images and validates on the second fifth;
    with ``validation.labels: clean``, only the noisy training images are divided.

    ``dataset: "my_data:load"`` is a function of one's own, and ``sklearn:load_breast_cancer`` one
    of scikit-learn; ``options`` are its keyword arguments. ``augment`` may be one's own too, with
    its keyword arguments beside its ``name``. See docs/own-parts.md.
    """

    dataset: Annotated[
        Annotated[
            Literal["digits", "cifar10", "cifar100", "parquet", "folder", "webdataset", "npz"],
            Tag(BUILT_IN),
        ]
        | Annotated[OwnName, Tag(OWN)],
        Discriminator(_own_or_not),
    ] = "digits"
    options: Annotated[dict[str, Argument], FileSetting(or_text=True)] = Field(default_factory=dict)
    dir: Annotated[str, FileSetting()] | None = None
    download: bool = True
    label_column: str | None = None
    image_size: Annotated[int, Field(ge=1)] | None = None
    images: Literal["auto", "decoded", "compressed"] = "auto"
    subset: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | None = None
    test_subset: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | None = None
    test_size: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | None = None
    noise: Noise = NoNoise()
    validation: Validation = Validation()
    fold: Fold | None = None
    augment: Annotated[
        Annotated[
            Literal["none", "flip", "crop_flip", "resized_crop_flip", "randaugment"], Tag(BUILT_IN)
        ]
        | Annotated[OwnPart, Tag(OWN)],
        Discriminator(_own_or_not),
        BeforeValidator(_own_name_shorthand),
    ] = "none"
    seed: Annotated[int, Field(ge=0)] = 0

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def truth_known(self) -> bool:
        """Whether the data set's own labels are the true ones."""
        return self.noise.kind != "given" or self.noise.truth_known

    @model_validator(mode="after")
    def _can_stay_compressed(self) -> Self:
        if self.images != "compressed":
            return self
        if self.dataset not in ENCODED:
            raise ValueError(
                f"images: {self.dataset} has no compressed images; allowed for: "
                f"{', '.join(ENCODED)}. Leave it out"
            )
        if self.image_size is None:
            raise ValueError(
                "images: compressed needs image_size, such as 224, the side that the images are "
                "cropped and scaled to when they are decoded"
            )
        return self

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        column, noise, own = self.label_column, self.noise, is_own(self.dataset)
        if self.options and not own:
            raise ValueError(
                f"options: {self.dataset} takes none. They are the keyword arguments of a data set "
                f"of one's own, dataset: {OWN}"
            )
        if column is not None and self.dataset not in ("parquet", "cifar100"):
            raise ValueError(
                f"label_column: {self.dataset} has one label per image; only parquet and cifar100 "
                "may have several"
            )
        if self.dataset == "cifar100" and column not in (None, "fine_label", "coarse_label"):
            raise ValueError(f"label_column: found {column!r}; allowed: fine_label, coarse_label")
        own_column = noise.kind == "given" and noise.key is not None and noise.file is None
        if own_column and not own and self.dataset not in ("parquet", "npz"):
            raise ValueError(
                f"noise.key: {self.dataset} has no columns; only parquet and npz have. Name a "
                "CSV with noise.file"
            )
        return self

    @property
    def has_noisy_validation(self) -> bool:
        """Whether some of the validation labels are wrong, or may be."""
        rate = getattr(self.noise, "rate", None)
        return self.noise.kind != "none" and rate != 0 and self.validation.labels == "noisy"

    @property
    def folds_divide_validation(self) -> bool:
        """Whether folds divide the validation images, too: their labels are as the others."""
        return self.has_noisy_validation or self.noise.kind == "none"

    @model_validator(mode="after")
    def _validation_is_known(self) -> Self:
        if self.validation.labels == "clean" and not self.truth_known:
            raise ValueError(
                "validation.labels: clean needs true labels, and noise: given without a file or a "
                "column says that the dataset has none: use validation.labels: noisy"
            )
        return self


# --- model ------------------------------------------------------------------------------------


IMAGENET_NETWORKS = ("resnet18", "resnet34")
"""The networks for which ImageNet's stem and pretrained weights are available."""


class ModelConfig(Part):
    """The network; ``width`` multiplies its channel counts.

    ``stem``: ``cifar`` is a 3x3 convolution of stride 1, for small images; ``imagenet`` is 7x7 of
    stride 2 and a max pooling, as torchvision has it. ``weights``: pretrained weights for all
    layers but the last: ``imagenet`` (torchvision's, downloaded if ``data.download``) or a file
    (.pth). With ``stem: cifar`` the first convolution, which differs, is also newly initialised.
    ``mlp`` and ``vit_tiny`` are no convolutional networks: a perceptron of two hidden layers and a
    small vision transformer. ``inception_resnet_v2`` needs timm: pip install 'tune-robust[timm]'.
    """

    name: Literal[
        "densenet121",
        "inception_resnet_v2",
        "mlp",
        "resnet18",
        "resnet20",
        "resnet32",
        "resnet34",
        "resnet56",
        "small_cnn",
        "vit_tiny",
        "wrn28_10",
        "wrn40_2",
    ] = "small_cnn"
    width: Annotated[float, Field(gt=0, le=16)] = 1.0
    stem: Literal["cifar", "imagenet"] = "cifar"
    weights: Annotated[str, FileSetting(names=("imagenet",), or_name=True)] | None = None

    @model_validator(mode="after")
    def _has_what_is_asked_for(self) -> Self:
        if self.name not in IMAGENET_NETWORKS and (self.stem != "cifar" or self.weights):
            raise ValueError(
                f"{self.name} has neither ImageNet's stem nor pretrained weights: leave stem "
                f"and weights out, or choose one of {', '.join(IMAGENET_NETWORKS)}"
            )
        if self.weights and self.width != 1:
            raise ValueError(
                f"pretrained weights fit only width 1, and width is {self.width:g}: leave one "
                "of the two out"
            )
        if self.name == "inception_resnet_v2" and self.width != 1:
            raise ValueError(
                "inception_resnet_v2 is available only with width 1, and width is "
                f"{self.width:g}: leave it out, or widen another network"
            )
        return self


class OwnModel(OwnPart):
    """A network from elsewhere: ``my_nets:Tiny``, ``timm:NAME`` or ``torchvision:NAME``.

    ``last_layer``: the name of the last linear layer in the network, as in ``classifier.2``, whose
    gradient ``sals`` looks at, and to which ``saner.layers: last`` applies; by default the last
    ``torch.nn.Linear`` that it has. All else are keyword arguments of its constructor. See
    docs/own-parts.md.
    """

    last_layer: str | None = None


Model = Annotated[
    Annotated[ModelConfig, Tag(BUILT_IN)] | Annotated[OwnModel, Tag(OWN)],
    Discriminator(_own_or_not),
    BeforeValidator(_name_shorthand),
]


# --- schedules of rho and alpha ---------------------------------------------------------------

Factor = NonNegative
"""A factor of a setting's value: 1 keeps it, and 0 switches it off."""

Boundaries = Annotated[list[Fraction], Field(min_length=1)]


class Constant(Part):
    """The value stays constant."""

    kind: Literal["constant"] = "constant"


class StepDecay(Part):
    """The value is multiplied by ``factor``, in (0, 1), at each boundary, a fraction of the run."""

    kind: Literal["step_decay"] = "step_decay"
    boundaries: Boundaries = [0.3, 0.6]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


class ExponentialDecay(Part):
    """The value is multiplied by exp(-rate * epoch), with epochs counted from 0 and rate > 0."""

    kind: Literal["exponential_decay"] = "exponential_decay"
    rate: Positive = 0.1


class StepIncrease(Part):
    """The value is multiplied by ``factor``, above 1, at each boundary, a fraction of the run."""

    kind: Literal["step_increase"] = "step_increase"
    boundaries: Boundaries = [0.3, 0.6]
    factor: Annotated[float, Field(gt=1)] = 10.0


class Linear(Part):
    """The value changes linearly from the start to ``end`` times the value at the run's end."""

    kind: Literal["linear"] = "linear"
    end: Factor = 0.0


class Cosine(Part):
    """The value changes along half a cosine to ``end`` times the value at the run's end."""

    kind: Literal["cosine"] = "cosine"
    end: Factor = 0.0


class PiecewiseLinear(Part):
    """The value is multiplied by a factor that is linear between five evenly spaced knots.

    The knots are separate settings, so that a search can vary the curve:
    ``sam.rho_schedule.half: {uniform: [0, 2]}``. While rho is 0, a step takes one pass.
    """

    kind: Literal["piecewise_linear"] = "piecewise_linear"
    start: Factor = 1.0
    quarter: Factor = 1.0
    half: Factor = 1.0
    three_quarters: Factor = 1.0
    end: Factor = 1.0


Schedule = Annotated[
    Constant | StepDecay | ExponentialDecay | StepIncrease | Linear | Cosine | PiecewiseLinear,
    BeforeValidator(_kind_shorthand),
    Field(discriminator="kind"),
]


# --- the parts of a method --------------------------------------------------------------------


def _named_infinity(value: Any) -> Any:
    """Convert infinity, which JSON lacks, to its name."""
    return "inf" if value == math.inf else value


Norm = Annotated[Annotated[float, Field(gt=1)] | Literal["inf"], BeforeValidator(_named_infinity)]


def _renamed_convention(value: Any) -> Any:
    """Rename ``asam``, the name of ``asam_by_shape`` in earlier versions."""
    return "asam_by_shape" if value == "asam" else value


class SamConfig(Part):
    """Sharpness-aware perturbation (Foret et al. 2020; ASAM: Kwon et al. 2021) and its variants.

    ``rho`` is the radius of the perturbation, a length in weight space: about 0.05 to 0.5, and ten
    times that for adaptive SAM. It is measured in the p-norm ``norm``, above 1 and up to ``inf``;
    adaptive SAM requires 2.

    ``adaptive`` scales the perturbation of each weight: ``asam_by_name`` by |w| + eta for
    parameters whose name contains ``weight`` and by 1 elsewhere, as the code published with ASAM
    does; ``asam_by_shape`` by |w| + eta for tensors of more than one dimension and by 1 elsewhere;
    ``elementwise`` by |w| everywhere. ``asam`` is the earlier name of ``asam_by_shape``.

    ``variant``: ``gsam`` also reduces the surrogate gap, weighted by ``g_alpha`` (Zhuang et al.
    2022). ``fsam``, Friendly-SAM, subtracts ``sigma`` times the running mean gradient (decay
    ``lmbda``) from the ascent direction (Li et al. 2024). ``vasso`` ascends along the running mean
    gradient, in which the newest gradient has weight ``theta`` (Li & Giannakis 2023). The
    parameters of other variants have no effect.

    ``sync``: in a trial of several processes, whether they share one perturbation, that of the
    whole batch. By default each process perturbs the weights with the gradient of its own part of
    the batch, as in SAM's paper (m-sharpness). ``micro_batch``: divide the batch of a process into
    parts of so many images, each of which perturbs the weights on its own, as in as many processes;
    for the variants ``sam`` and ``gsam``.
    """

    rho: NonNegative = 0.1
    rho_schedule: Schedule = Constant()
    norm: Norm = 2.0
    adaptive: Annotated[
        Literal["none", "asam_by_name", "asam_by_shape", "elementwise"],
        BeforeValidator(_renamed_convention),
    ] = "none"
    eta: NonNegative = 0.01
    variant: Literal["sam", "gsam", "fsam", "vasso"] = "sam"
    g_alpha: NonNegative = 0.01
    sigma: NonNegative = 1.0
    lmbda: Annotated[float, Field(ge=0, lt=1)] = 0.9
    theta: Annotated[float, Field(gt=0, le=1)] = 0.2
    sync: bool = False
    micro_batch: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _parts_perturb_on_their_own(self) -> Self:
        if self.micro_batch is None:
            return self
        if self.sync:
            raise ValueError(
                f"micro_batch: found {self.micro_batch}, with sync: true; either each part of a "
                "batch perturbs the weights on its own, or all share one: leave one of the two out"
            )
        if self.variant in ("fsam", "vasso"):
            raise ValueError(
                f"micro_batch: found {self.micro_batch}, with variant: {self.variant}, whose mean "
                "gradient is that of whole batches; expected variant sam or gsam"
            )
        return self

    @model_validator(mode="after")
    def _adaptive_in_norm_2(self) -> Self:
        if self.adaptive != "none" and self.norm != 2:
            raise ValueError(
                f"adaptive: {self.adaptive} is defined for norm 2, and norm is {self.norm}: leave "
                "one of the two out"
            )
        return self


class SanerConfig(Part):
    """Reweighting of SAM's gradient by SANER (Luong et al. 2024, arXiv 2411.17132).

    The components of group B are multiplied by ``alpha``: 1 is SAM and 0 removes the group. alpha
    starts at 1 and reaches its value after ``k``: a whole number of epochs (50) or, written with a
    decimal point, a fraction of training (0.25, 1.0). ``ramp`` is the shape of this transition;
    ``step`` stays at 1 until ``k``. ``alpha_schedule`` multiplies alpha over the run, as
    ``rho_schedule`` does rho. ``probe_every``: measure ``p_r`` (how much each group fits wrong
    labels relative to right ones) every so many epochs, with two extra passes over 256 samples; 0
    never does. It needs the true labels.

    The group, with r = g_SAM / g_SGD per component: ``group: a`` is r >= ``threshold``, ``b`` (as
    published) 0 < r < ``threshold``, ``c`` r <= 0 and ``ab`` r > 0. ``soft`` lets the factor rise
    from alpha at r = 0 to 1 at ``threshold``, for group b. ``layers: last`` reweights only the
    weight of the last linear layer. ``action: without`` uses the plain gradient g_SGD on the group
    and SAM's gradient elsewhere, and ``only`` the reverse; these are ablations of the paper and do
    not use alpha.
    """

    alpha: Annotated[float, Field(ge=0, le=2)] = 0.5
    alpha_schedule: Schedule = Constant()
    k: (
        Annotated[int, Field(ge=0, strict=True)] | Annotated[float, Field(ge=0, le=1, strict=True)]
    ) = 50
    ramp: Literal["linear", "cosine", "step"] = "linear"
    probe_every: Annotated[int, Field(ge=0)] = 0
    action: Literal["reweight", "without", "only"] = "reweight"
    group: Literal["a", "b", "c", "ab"] = "b"
    threshold: Annotated[float, Field(gt=0, le=1)] = 1.0
    soft: bool = False
    layers: Literal["all", "last"] = "all"

    @model_validator(mode="after")
    def _soft_reweights_group_b(self) -> Self:
        if self.soft and (self.group != "b" or self.action != "reweight"):
            raise ValueError(
                "soft lets alpha's factor rise to 1 at the end of group b; here group is "
                f"{self.group} and action is {self.action}: leave soft out, or use group: b with "
                "action: reweight"
            )
        return self

    def ramp_epochs(self, epochs: int) -> float:
        """Return ``k`` in epochs, for a run of ``epochs``."""
        return self.k * epochs if isinstance(self.k, float) else self.k


class SalsConfig(Part):
    """Sharpness-adaptive label smoothing (SLAW).

    ``scope`` selects the gradient whose norm is the sharpness. ``last_layer``, as published, is
    that of this batch with respect to the last layer, in closed form. ``full`` is that of the whole
    network; since it is known only after the backward pass, the norm of the previous step is used.
    """

    scope: Literal["last_layer", "full"] = "last_layer"
    alpha: NonNegative = 0.2
    eps_min: Fraction = 0.0
    eps_max: Fraction = 0.2
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.eps_min > self.eps_max:
            raise ValueError(f"eps_min {self.eps_min} is above eps_max {self.eps_max}")
        return self


class LawConfig(Part):
    """Loss-adaptive sample weights in [1 - gamma, 1] (SLAW).

    ``suppress_high`` reduces the weight of high-loss samples, ``band`` that of samples at both
    ends. ``as_published`` is the formula of the official code, which increases the weight of
    high-loss samples.
    """

    gamma: Fraction = 0.9
    tau: Positive = 1.0
    beta: Positive = 1.0
    shape: Literal["suppress_high", "band", "as_published"] = "suppress_high"


# --- the loss of a sample -----------------------------------------------------------------------


class CrossEntropy(Part):
    """Cross-entropy with the given label."""

    name: Literal["ce"] = "ce"


class GeneralizedCrossEntropy(Part):
    """(1 - p_y^q) / q (Zhang & Sabuncu 2018, arXiv 1805.07836).

    ``q``: from near 0, cross-entropy, to 1, the mean absolute error, which is robust but slow.
    """

    name: Literal["gce"] = "gce"
    q: Annotated[float, Field(gt=0, le=1)] = 0.7


class SymmetricCrossEntropy(Part):
    """alpha * CE + beta * reverse CE (Wang et al. 2019, arXiv 1908.06112).

    Published ``alpha``, ``beta``: 0.1, 1 for CIFAR-10 and 6, 0.1 for CIFAR-100.
    """

    name: Literal["sce"] = "sce"
    alpha: NonNegative = 0.1
    beta: NonNegative = 1.0

    @model_validator(mode="after")
    def _weighs(self) -> Self:
        if not self.alpha and not self.beta:
            raise ValueError("alpha and beta are both 0, so there is no loss: raise one of them")
        return self


class BootstrapHard(Part):
    """Cross-entropy with a mix of the given label and the network's own prediction.

    The given label has weight ``beta`` and the most probable class 1 - ``beta`` (Reed et al. 2014,
    arXiv 1412.6596). With ``beta`` 1 this is cross-entropy.
    """

    name: Literal["bootstrap_hard"] = "bootstrap_hard"
    beta: Fraction = 0.8


class BootstrapSoft(Part):
    """Cross-entropy with a mix of the given label and the network's own softmax output.

    The given label has weight ``beta`` and the softmax 1 - ``beta`` (Reed et al. 2014, arXiv
    1412.6596). With ``beta`` 1 this is cross-entropy.
    """

    name: Literal["bootstrap_soft"] = "bootstrap_soft"
    beta: Fraction = 0.95


class OwnLoss(OwnPart):
    """A loss of one's own, as ``my_losses:focal``, with its keyword arguments beside its name.

    It is called with logits (B, K) and targets (B, K), and returns what each sample costs, (B,).
    See docs/own-parts.md.
    """


Loss = Annotated[
    Annotated[CrossEntropy, Tag("ce")]
    | Annotated[GeneralizedCrossEntropy, Tag("gce")]
    | Annotated[SymmetricCrossEntropy, Tag("sce")]
    | Annotated[BootstrapHard, Tag("bootstrap_hard")]
    | Annotated[BootstrapSoft, Tag("bootstrap_soft")]
    | Annotated[OwnLoss, Tag(OWN)],
    Discriminator(_by_name),
    BeforeValidator(_name_shorthand),
]


# --- around the step ----------------------------------------------------------------------------


class MixupConfig(Part):
    """Training on convex combinations of two images and of their labels (mixup).

    Zhang et al. 2018, arXiv 1710.09412. One coefficient per batch, drawn from Beta(alpha, alpha).
    ``alpha``: 0.1 to 1 without label noise, 8 to 32 with strong label noise.
    """

    alpha: Positive = 1.0


Start = Annotated[float, Field(ge=0, lt=1)]
"""The fraction of a round's epochs after which the averaging begins."""


class SwaConfig(Part):
    """The mean of the weights after each epoch that ends at or after ``start``.

    Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407). With ``cycles``, the
    learning rate is the paper's cyclical one instead of ``lr_schedule``: the optimizer's own until
    ``start``, then in each of so many equal cycles linearly from it to ``lowest`` times it; the
    weights are averaged at the end of each cycle, where the learning rate is lowest.
    """

    kind: Literal["swa"] = "swa"
    start: Start = 0.75
    cycles: Annotated[int, Field(ge=0)] = 0
    lowest: Annotated[float, Field(gt=0, le=1)] = 0.01


class EmaConfig(Part):
    """An exponential moving average of the weights, updated after every step from ``start`` on.

    ``decay`` is the weight of the old average at each step; the average covers about
    1 / (1 - decay) steps.
    """

    kind: Literal["ema"] = "ema"
    start: Start = 0.0
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999


Average = Annotated[SwaConfig | EmaConfig, Field(discriminator="kind")]


# --- the base optimizer and its learning rate ---------------------------------------------------


class SgdConfig(Part):
    """Stochastic gradient descent with momentum, Nesterov's if ``nesterov``.

    ``weight_decay`` is added to the gradient, as an L2 penalty.
    """

    name: Literal["sgd"] = "sgd"
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 5e-4
    nesterov: bool = False

    @model_validator(mode="after")
    def _has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum, which is 0: raise momentum")
        return self


class AdamWConfig(Part):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

    name: Literal["adamw"] = "adamw"
    lr: Positive = 1e-3
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    weight_decay: NonNegative = 1e-2


class OwnOptimizer(OwnPart):
    """An optimizer from elsewhere, as ``torch.optim:RAdam``, with its arguments beside its name.

    ``lr`` is its learning rate, by default its own; ``lr_schedule`` multiplies it as any other. See
    docs/own-parts.md.
    """

    lr: Positive | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments, ``lr`` among them if it is given."""
        return super().arguments | ({} if self.lr is None else {"lr": self.lr})


Optimizer = Annotated[
    Annotated[SgdConfig, Tag("sgd")]
    | Annotated[AdamWConfig, Tag("adamw")]
    | Annotated[OwnOptimizer, Tag(OWN)],
    Discriminator(_by_name),
    BeforeValidator(_name_shorthand),
]


class LrConstant(Part):
    """The learning rate of the optimizer stays constant.

    ``warmup``, here and below: the fraction of the run over which the rate first rises linearly.
    """

    kind: Literal["constant"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0


class LrCosine(Part):
    """The learning rate decreases to zero along half a cosine."""

    kind: Literal["cosine"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0


class LrMultistep(Part):
    """The learning rate is multiplied by ``factor`` at each milestone (a fraction of the run)."""

    kind: Literal["multistep"] = "multistep"
    milestones: Boundaries = [0.5, 0.75]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0


class LrOneCycle(Part):
    """The learning rate rises to the optimizer's and falls again, each along half a cosine.

    One cycle over the run (Smith & Topin 2018, arXiv 1708.07120): from lr / ``initial_divisor`` to
    lr at the fraction ``peak`` of the run, then to lr / (``initial_divisor * final_divisor``) at
    its end. The momentum does not change.
    """

    kind: Literal["onecycle"] = "onecycle"
    peak: Annotated[float, Field(gt=0, lt=1)] = 0.3
    initial_divisor: Annotated[float, Field(ge=1)] = 25.0
    final_divisor: Annotated[float, Field(ge=1)] = 1e4


LrSchedule = Annotated[
    LrConstant | LrCosine | LrMultistep | LrOneCycle,
    BeforeValidator(_kind_shorthand),
    Field(discriminator="kind"),
]


# --- settings that change while training --------------------------------------------------------

Changeable = Literal["sam.rho", "saner.alpha", "optimizer.lr"]
"""The settings that may have other values from some epoch on."""

CHANGEABLE: tuple[str, ...] = typing.get_args(Changeable)


class Knot(Part):
    """Other values of some settings for the epochs after ``epoch``, until a later knot.

    ``set`` has the values by the paths of their settings, as in ``{sam.rho: 0.2}``. Schedules
    multiply the new value as they multiply the first one.
    """

    epoch: Annotated[int, Field(ge=1)]
    set: Annotated[dict[Changeable, float], Field(min_length=1)]


# --- presets ------------------------------------------------------------------------------------

_SAM = {"rho": 0.1}
_SANER = {"alpha": 0.5, "k": 50}

PRESETS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "sam": {"sam": _SAM},
    "asam": {"sam": {"rho": 0.5, "adaptive": "asam_by_name"}},
    "saner": {"sam": _SAM, "saner": _SANER},
    "asam_saner": {"sam": {"rho": 2.0, "adaptive": "elementwise"}, "saner": _SANER},
    "gsam_saner": {"sam": {**_SAM, "variant": "gsam"}, "saner": _SANER},
    "fsam_saner": {"sam": {**_SAM, "variant": "fsam"}, "saner": _SANER},
    "vasso_saner": {"sam": {**_SAM, "variant": "vasso"}, "saner": _SANER},
    "sals": {"sals": {}},
    "law": {"law": {}},
    "slaw": {"sals": {}, "law": {}},
    "saner_slaw": {"sam": _SAM, "saner": _SANER, "sals": {}, "law": {}},
    "swa": {"average": {"kind": "swa"}},
    "ema": {"average": {"kind": "ema"}},
    "bootstrap_sgd": {"bootstrap_rounds": 2},
    "bootstrap_sam": {"sam": _SAM, "bootstrap_rounds": 2},
    "gce": {"loss": {"name": "gce"}},
    "sce": {"loss": {"name": "sce"}},
    "mixup": {"mixup": {}},
}
"""The settings of each method's name; explicitly given fields override them."""

Method = Literal[
    "sgd",
    "sam",
    "asam",
    "saner",
    "asam_saner",
    "gsam_saner",
    "fsam_saner",
    "vasso_saner",
    "sals",
    "law",
    "slaw",
    "saner_slaw",
    "swa",
    "ema",
    "bootstrap_sgd",
    "bootstrap_sam",
    "gce",
    "sce",
    "mixup",
]
"""The names of ``PRESETS``."""


def _fill(defaults: dict, given: dict) -> dict:
    """Return ``defaults`` overridden by ``given``, merging mappings key by key."""
    merged = dict(defaults)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _fill(merged[key], value) if both else value
    return merged


_EARLIER_PRESETS: dict[str, dict[str, Any]] = {
    "asam": {"sam": {"adaptive": "asam_by_shape"}},
    "asam_saner": {"sam": {"rho": 0.5, "adaptive": "asam_by_shape"}},
}
"""Presets that differed in spaces of format 1, whose runs keep the earlier settings."""


def with_earlier_preset(document: dict[str, Any]) -> dict[str, Any]:
    """Return a run's configuration with the explicit settings of its preset in format 1."""
    earlier = _EARLIER_PRESETS.get(str(document.get("method")))
    return _fill(earlier, document) if earlier else document


class OwnLoop(OwnPart):
    """A training loop of one's own, as ``my_loop:train``, with its settings beside its name.

    It is called with these settings and a trial to report to. See docs/own-loop.md.
    """


class TrainConfig(Part):
    """One training run. On the CPU, two equal configurations give exactly the same numbers.

    ``bootstrap_rounds``: each round but the first trains a fresh network on the classes that the
    one before predicts for the training images (Foret et al. 2020, arXiv 2010.01412, sec. 3.3).
    ``bootstrap_network: continued`` trains on the same network, with the same optimizer, instead.
    ``epochs`` is the length of one round, which schedules and fractions of training refer to.
    ``label_smoothing`` of the target's probability goes to ``all`` classes, the label's own
    included (eps / K each, as in PyTorch), or with ``label_smoothing_over: others`` to the other
    K - 1 classes. ``probe_every``: every so many epochs measure, on at most 256 training images
    with known true labels, how the gradients of rightly and wrongly labelled images agree and,
    with SAM, ``p_r``; 0 is never.

    ``precision: auto`` is bfloat16 autocast on a GPU that computes in it, float32 elsewhere.
    ``float32`` on an NVIDIA GPU from Ampere on means TF32 in convolutions (a mantissa of 10 bits),
    as PyTorch does by default; ``torch.backends.cudnn.allow_tf32 = False`` turns that off.
    ``cuda_graphs`` records the training steps as CUDA graphs and replays them, which saves the time
    to launch the kernels one by one. It needs the optimizer sgd or adamw. It has not been verified
    on a GPU yet, and has no effect on a CPU.

    ``knots`` change rho, alpha and the learning rate while training, each from the end of an epoch
    on, as ``[{epoch: 10, set: {sam.rho: 0.2, optimizer.lr: 0.05}}]``; epochs are counted through
    all bootstrap rounds. ``budget.scheduler: pb2`` finds them.

    ``loop`` trains by a function of the user's own instead. Then only ``epochs`` (the most reports
    that a trial gives), ``seed`` and ``threads`` apply beside it.
    """

    loop: Annotated[OwnLoop | None, BeforeValidator(_name_shorthand)] = None
    data: DataConfig = DataConfig()
    model: Model = ModelConfig()
    method: Method | None = None
    sam: SamConfig | None = None
    saner: SanerConfig | None = None
    sals: SalsConfig | None = None
    law: LawConfig | None = None
    loss: Loss = CrossEntropy()
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    label_smoothing_over: Literal["all", "others"] = "all"
    mixup: MixupConfig | None = None
    average: Annotated[Average | None, BeforeValidator(_kind_shorthand)] = None
    bootstrap_rounds: Annotated[int, Field(ge=1)] = 1
    bootstrap_network: Literal["fresh", "continued"] = "fresh"
    optimizer: Optimizer = SgdConfig()
    lr_schedule: LrSchedule = LrConstant()
    knots: tuple[Knot, ...] = ()
    epochs: Annotated[int, Field(ge=1)] = 1
    batch_size: Annotated[int, Field(ge=1)] = 128
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    channels_last: bool | Literal["auto"] = "auto"
    compile: bool = False
    cuda_graphs: bool = False
    threads: Annotated[int, Field(ge=1)] | None = None
    probe_every: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _expand_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("method") is None:
            return given
        known = isinstance(given["method"], str) and given["method"] in PRESETS
        return _fill(PRESETS[given["method"]], given) if known else given

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.saner is not None and self.sam is None:
            raise ValueError("saner needs sam: it compares SAM's gradient with the plain one")
        if self.sals is not None and self.label_smoothing:
            raise ValueError("sals sets the label smoothing itself: leave label_smoothing at 0")
        if self.sals is not None and self.loss.name != "ce":
            raise ValueError(
                f"sals smooths the labels of cross-entropy, and loss is {self.loss.name}: use "
                "loss: ce, or leave sals out (law weighs the samples of any loss)"
            )
        return self

    @model_validator(mode="after")
    def _knots_are_in_order(self) -> Self:
        epochs = [knot.epoch for knot in self.knots]
        if any(after <= before for before, after in pairwise(epochs)):
            raise ValueError(f"the epochs of knots are {epochs}: each must be after the one before")
        if epochs and epochs[-1] >= self.total_epochs:
            raise ValueError(
                f"a knot is at epoch {epochs[-1]}, and the run ends after epoch "
                f"{self.total_epochs}: leave it out, or raise epochs"
            )
        return self

    @model_validator(mode="after")
    def _knots_fit(self) -> Self:
        for knot in self.knots:
            for path, value in knot.set.items():
                name, setting = path.split(".")
                part = getattr(self, name)
                if part is None:
                    raise ValueError(
                        f"the knot at epoch {knot.epoch} sets {path}, and there is no {name}: "
                        f"leave it out, or give {name}"
                    )
                problems, _ = collect_problems(type(part), part.model_dump() | {setting: value})
                if problems:
                    message = problems[0].message
                    raise ValueError(f"the knot at epoch {knot.epoch} sets {path}: {message}")
        return self

    @model_validator(mode="after")
    def _loop_does_it_all(self) -> Self:
        if self.loop is None:
            return self
        defaults = {name: field.get_default() for name, field in type(self).model_fields.items()}
        defaults["data"] = DataConfig(seed=self.data.seed)
        given = {name: getattr(self, name) for name in defaults if name not in LOOP_SETTINGS}
        idle = [name for name, value in given.items() if value != defaults[name]]
        if idle:
            raise ValueError(
                f"{', '.join(idle)}: no effect beside loop: {self.loop.name}, which trains by "
                "itself. Give the loop what it needs as settings of its own, under loop"
            )
        return self

    @property
    def passes_per_step(self) -> int:
        """The gradient evaluations per step: 2 with a perturbation, 1 without."""
        return 2 if self.sam is not None and self.sam.rho > 0 else 1

    @property
    def total_epochs(self) -> int:
        """The epochs of all bootstrap rounds together."""
        return self.epochs * self.bootstrap_rounds

    @property
    def gradient_evaluations(self) -> int:
        """The compute of the run, in forward and backward passes over the training set."""
        begins = [0, *(knot.epoch for knot in self.knots), self.total_epochs]
        return sum((end - e) * self.after(e).passes_per_step for e, end in pairwise(begins))

    def after(self, epoch: int) -> Self:
        """Return the configuration with the values that its knots set up to ``epoch``."""
        parts: dict[str, dict[str, float]] = {}
        for knot in self.knots:
            for path, value in knot.set.items() if knot.epoch <= epoch else ():
                name, setting = path.split(".")
                parts.setdefault(name, {})[setting] = value
        changed = {n: getattr(self, n).model_copy(update=new) for n, new in parts.items()}
        return self.model_copy(update=changed) if changed else self


LOOP_SETTINGS = ("loop", "epochs", "seed", "threads")
"""The settings that apply to a loop of one's own."""


def own_parts(config: TrainConfig) -> dict[str, str]:
    """The parts from elsewhere that ``config`` names: ``module:attribute`` by its setting."""
    data = config.data
    named = {
        "data.dataset": data.dataset,
        "data.augment": data.augment.name if isinstance(data.augment, OwnPart) else "",
        "model.name": config.model.name,
        "loss.name": config.loss.name,
        "optimizer.name": config.optimizer.name,
        "loop": config.loop.name if config.loop is not None else "",
    }
    return {setting: name for setting, name in named.items() if is_own(name)}


EARLIER_PATHS = {"data.noise.column": "data.noise.key"}
"""The paths that settings had in earlier versions, and their present ones. Both are accepted."""


def parse_config(document: Any, source: str = "config") -> TrainConfig:
    """Validate ``document`` (a nested mapping) and return it as a TrainConfig.

    Raises:
        ConfigError: lists every problem with its key path; ``source`` names the document.
    """
    problems, config = collect_problems(TrainConfig, document)
    if config is None:
        raise ConfigError(source, problems)
    return config


@cache
def file_settings() -> dict[str, FileSetting]:
    """Return the settings of TrainConfig that name a file or a folder, by their path."""
    return dict(_file_settings(TrainConfig))


def _file_settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FileSetting]]:
    for name, field in model.model_fields.items():
        for found in (*field.metadata, *_annotations(field.annotation)):
            if isinstance(found, FileSetting):
                yield prefix + name, found
            elif isinstance(found, type) and issubclass(found, BaseModel):
                yield from _file_settings(found, f"{prefix}{name}.")


def _annotations(annotation: Any) -> Iterator[Any]:
    """Yield all types in an annotation, and their own annotations."""
    yield annotation
    yield from getattr(annotation, "__metadata__", ())
    for inner in typing.get_args(annotation):
        yield from _annotations(inner)
