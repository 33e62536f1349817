"""The registry of fusion models: what each is, and what builds it."""

from fusion.config import ModelConfig
from fusion.encoders.base import AbstractEncoder
from fusion.encoders.build import fixed_encoder, raw_encoder
from fusion.encoders.genes import SelfNormalisingEncoder
from fusion.encoders.groups import GroupEncoder
from fusion.encoders.patch_set import PatchSet
from fusion.encoders.patches import AttentionPatches
from fusion.lists import sizes
from fusion.modalities import OMICS, SLIDES
from fusion.models.base import Shape
from fusion.models.bilinear import Bilinear
from fusion.models.cross_attention import CrossAttention
from fusion.models.early import Early
from fusion.models.entry import ModelEntry, Places
from fusion.models.gated import Gated
from fusion.models.late import Late
from fusion.models.linear import Linear
from fusion.models.mcat import Mcat
from fusion.models.mif import Mif, PublishedMif, mif_encoder
from fusion.models.pathway_tokens import PathwayTokens
from fusion.models.subspace import SubspaceFusion
from fusion.models.unimodal import Unimodal
from fusion.registry import Registry


def _patches(_: str, width: int, config: ModelConfig) -> AbstractEncoder:
    """Return an encoder into patches as wide as the tokens of the groups of genes."""
    size = {"tokens": config.patch_tokens, "width": config.width}
    return PatchSet(width, **size, dropout=config.input_dropout)


def _groups(places: Places, config: ModelConfig) -> AbstractEncoder:
    """Return a self-normalising network of two layers a group of genes."""
    size = {"layers": (config.width,), "width": config.width}
    dropout = {"input_dropout": config.input_dropout, "dropout": config.dropout}
    return GroupEncoder(places.values(), **size, **dropout)  # type: ignore[arg-type]


MODELS: Registry[ModelEntry] = Registry("model")
INTERSHAP_COX = "InterSHAP-Cox, arXiv 2603.29977"

MODELS.add(
    "early",
    ModelEntry(
        title="Early fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c, k: Early(
            shapes, hidden=(c.hidden, c.hidden), dropout=c.dropout, outputs=k
        ),
        reference=lambda shapes: Early(shapes, hidden=(2048, 200), dropout=0.25),
        at_least=2,
    ),
)
MODELS.add(
    "late",
    ModelEntry(
        title="Late fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c, k: Late(shapes, hidden=c.hidden, dropout=c.dropout, outputs=k),
        at_least=2,
        head="combine",
    ),
)
MODELS.add(
    "cross_attention",
    ModelEntry(
        title="Cross-attention fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c, k: CrossAttention(
            shapes, width=c.hidden, heads=c.heads, hidden=c.hidden, dropout=c.dropout, outputs=k
        ),
        reference=lambda shapes: CrossAttention(
            shapes, width=256, heads=8, hidden=256, dropout=0.25
        ),
        at_least=2,
    ),
)
MODELS.add(
    "bilinear",
    ModelEntry(
        title="Low-rank bilinear fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c, k: Bilinear(
            shapes, rank=c.rank, hidden=c.hidden, dropout=c.dropout, norm=c.norm, outputs=k
        ),
        reference=lambda shapes: Bilinear(shapes, rank=64, hidden=64, dropout=0.25, norm="batch"),
        at_least=2,
        norms=("layer", "batch"),
    ),
)
MODELS.add(
    "gated",
    ModelEntry(
        title="Gated fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c, k: Gated(
            shapes, width=c.hidden, hidden=c.hidden, dropout=c.dropout, outputs=k
        ),
        reference=lambda shapes: Gated(shapes, width=256, hidden=64, dropout=0.25),
        at_least=2,
    ),
)
MODELS.add(
    "mif",
    ModelEntry(
        title="Multi-shot interactive fusion",
        paper="JBHI 29(5), 2025, doi 10.1109/JBHI.2024.3363161",
        fusion=lambda shapes, c, k: Mif(
            shapes,
            heads=c.heads,
            sizes=(*(sizes(c.layers, "model.layers") or (c.hidden,)), k),
            dropout=c.dropout,
            norm=c.norm,
            affinity_transpose=c.affinity_transpose,
        ),
        encoder=mif_encoder,
        reference=lambda shapes: PublishedMif(
            shapes, Mif(shapes, heads=5, sizes=(384, 128, 64, 1), dropout=0.3, norm="batch")
        ),
        reference_shapes={name: Shape(1, 80) for name in ("rna", "pathology", "cnv")},
        at_least=2,
        at_most=3,
        norms=("layer", "batch"),
    ),
)
MODELS.add(
    "subspace",
    ModelEntry(
        title="Knowledge-driven subspaces",
        paper="MICCAI 2024, knowledge-driven subspace fusion and gradient coordination",
        fusion=lambda shapes, c, k: SubspaceFusion(
            shapes, heads=c.heads, dropout=c.dropout, consistency=c.consistency, outputs=k
        ),
        encoder=lambda _, width, c: PatchSet(
            width, tokens=c.patch_tokens, width=2 * c.width, dropout=c.input_dropout
        ),
        grouped=lambda places, c: GroupEncoder(
            places.values(),
            layers=(64, 48, 32),
            width=c.width,
            input_dropout=c.input_dropout,
            dropout=c.dropout,
            last=True,
        ),
        signature="subspaces",
        ordered=True,
        takes=(SLIDES, OMICS),
        at_least=2,
    ),
)
MODELS.add(
    "mcat",
    ModelEntry(
        title="Co-attention guided by genes",
        paper="Chen et al., ICCV 2021",
        fusion=lambda shapes, c, k: Mcat(
            shapes, heads=c.heads, hidden=c.hidden, dropout=c.dropout, outputs=k
        ),
        encoder=_patches,
        grouped=_groups,
        signature="functions",
        takes=(SLIDES, OMICS),
        at_least=2,
    ),
)
MODELS.add(
    "pathway_tokens",
    ModelEntry(
        title="Pathway tokens",
        paper="in the spirit of Jaume et al., CVPR 2024",
        fusion=lambda shapes, c, k: PathwayTokens(
            shapes, heads=c.heads, hidden=c.hidden, dropout=c.dropout, outputs=k
        ),
        encoder=_patches,
        grouped=_groups,
        signature="pathways",
        takes=(SLIDES, OMICS),
        at_least=2,
    ),
)
MODELS.add(
    "wsi_only",
    ModelEntry(
        title="Slides alone",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c, k: Unimodal(shapes, dropout=c.dropout, outputs=k),
        takes=(SLIDES,),
    ),
)
MODELS.add(
    "omics_only",
    ModelEntry(
        title="Omics alone",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c, k: Unimodal(shapes, dropout=c.dropout, outputs=k),
        takes=(OMICS,),
    ),
)
MODELS.add(
    "abmil",
    ModelEntry(
        title="Gated attention over patches",
        paper="Ilse, Tomczak and Welling, ICML 2018",
        fusion=lambda shapes, c, k: Unimodal(shapes, dropout=c.dropout, outputs=k),
        encoder=lambda _, width, c: AttentionPatches(
            width, tokens=1, width=c.width, dropout=c.input_dropout
        ),
        takes=(SLIDES,),
    ),
)
MODELS.add(
    "snn",
    ModelEntry(
        title="Self-normalising network on omics",
        paper="Klambauer et al., NeurIPS 2017",
        fusion=lambda shapes, _, k: Unimodal(shapes, dropout=0.0, outputs=k),
        encoder=lambda _, width, c: SelfNormalisingEncoder(
            width, width=c.width, input_dropout=c.input_dropout, dropout=c.dropout
        ),
        takes=(OMICS,),
    ),
)
MODELS.add(
    "omics_linear",
    ModelEntry(
        title="Linear Cox on omics",
        paper="Cox, JRSS B 34, 1972",
        fusion=lambda shapes, _, k: Linear(shapes, k),
        encoder=raw_encoder,
        takes=(OMICS,),
        head="",
        deep=False,
    ),
)
MODELS.add(
    "linear",
    ModelEntry(
        title="Linear Cox",
        paper="Cox, JRSS B 34, 1972",
        fusion=lambda shapes, _, k: Linear(shapes, k),
        encoder=raw_encoder,
        head="",
        deep=False,
    ),
)
MODELS.add(
    "small_head",
    ModelEntry(
        title="Small head",
        paper="own; Cox, JRSS B 34, 1972",
        fusion=lambda shapes, _, k: Linear(shapes, k),
        encoder=fixed_encoder,
        head="",
        deep=False,
    ),
)
