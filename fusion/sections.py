"""The sections of a run's settings, one a concern, with their defaults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelConfig:
    """Which fusion model, and how large."""

    name: str = "gated"
    tokens: int = 4
    """Tokens a modality; 1 is the published configuration."""
    width: int = 32
    """Width of a token."""
    hidden: int = 32
    """Width of the hidden layer of the fusion head, and of projections inside it."""
    layers: str = ""
    """Widths of the head's hidden layers, comma-separated (mif); empty = one of `hidden`."""
    heads: int = 4
    """Attention heads; affinities averaged (mif)."""
    rank: int = 16
    """Rank of the bilinear factors (bilinear)."""
    dropout: float = 0.25
    """Probability that an element is dropped inside the fusion head."""
    input_dropout: float = 0.25
    """Probability that an input feature is dropped before a modality's encoder."""
    norm: str = "layer"
    """`layer`, or `batch` (refused under differential privacy)."""
    affinity_transpose: bool = False
    """Whether two modalities gather from each other instead of each from itself (mif)."""
    pooling: str = "mean"
    """How patches become tokens: `mean`, `attention` (gated attention) or `queries` (learned)."""
    patch_tokens: int = 144
    """Patches that are tokens themselves; of more, a fixed sample (subspace: a square number)."""
    groups: str = "default"
    """Groups of genes, for models that read them: the coordinator's csv of gene, group, or
    `default`."""
    ungrouped: str = "leave-out"
    """Genes in no group: `leave-out`, or `group` = they are a group of their own."""
    consistency: float = 0.5
    """Weight of the consistency of genes and attention, which compares patients (subspace)."""


@dataclass(frozen=True)
class DataConfig:
    """What a model reads."""

    modalities: str = "slides,omics"
    """What a model fuses, in the audit's order: `slides`, `omics`, `clinical`, or an omics table
    that is to be a modality of its own, comma-separated."""
    omics: str = "all"
    """Tables of the modality `omics`, comma-separated, or `all` that every site has."""
    clinical: str = ""
    """Clinical columns, comma-separated; inside `omics` unless `clinical` is a modality."""
    max_patches: int = 512
    """Patches a patient drawn anew for each training step; evaluation reads all."""
    clip: float = 5.0
    """Omics values are cut to [-clip, clip] before anything else; 0 = never."""
    scaling: str = "federated"
    """`federated` (mergeable sums over training patients) or a JSON file of public statistics."""
    components: str = ""
    """Principal components read instead of columns, such as `rna=12,slides=16`; empty = none."""


@dataclass(frozen=True)
class SplitConfig:
    """How each site's patients are divided, balanced by event."""

    validation: float = 0.16
    test: float = 0.20
    hold_out: str = ""
    """Names of sites that only evaluate, comma-separated."""


@dataclass(frozen=True)
class ObjectiveConfig:
    """What training minimises."""

    name: str = "discrete-time"
    """Time to an event: `cox`, `federated-cox`, `discrete-time`, `piecewise-exponential`; or
    `classification` of a label."""
    ties: str = "efron"
    """`efron` or `breslow` (cox, federated-cox)."""
    intervals: int = 10
    """Time intervals of the shared baseline (discrete-time, piecewise-exponential)."""
    cuts: str = ""
    """Inner interval edges in days, comma-separated; empty = quantiles of all sites' events."""
    label: str = ""
    """What is predicted (classification): a label of every site.toml, or else a clinical column."""
    classes: str = ""
    """Its classes in the order they are shown, comma-separated; empty = all that the sites have."""
    class_weights: str = "balanced"
    """`balanced`, each class counts alike by the federation's training counts, or `none`."""


@dataclass(frozen=True)
class TrainingConfig:
    """How one site trains in one round."""

    local_steps: int = 10
    batch_patients: int = 0
    """Patients whose gradient makes a step; 0 = all of the site's training patients."""
    micro_batch: int = 64
    """Patients held in memory at once; changes the result only with model.norm = batch."""
    optimiser: str = "adamw"
    """`adamw`, `adam` or `sgd`."""
    momentum: float = 0.9
    """Of `sgd`; 0 = plain gradient descent."""
    lr: float = 5e-4
    weight_decay: float = 0.1
    l1: float = 0.0
    """Times the sum of the model's absolute weights, added to the loss; biases count too."""
    coordination: str = "project"
    """What a step does where the gradients of two subspaces conflict: `none`, `project` or
    `reflect` (subspace)."""
    schedule: str = "cosine"
    """Learning rate over the rounds: `constant` or `cosine` (to a tenth)."""


@dataclass(frozen=True)
class FederationConfig:
    """How the coordinator joins the sites' updates."""

    strategy: str = "fedavg"
    personal: str = "none"
    """What each site keeps to itself, not averaged: `none`, or the model's last layers (`head`)."""
    weighting: str = "patients"
    """`patients` or `events` of the training split."""
    proximal_mu: float = 0.01
    """Pull towards the global model (fedprox)."""
    server_lr: float = 0.1
    """Step of the coordinator's optimiser (fedadagrad, fedadam, fedyogi)."""
    trim: float = 0.2
    """Share of sites cut at each end, value by value (trimmed-mean)."""
    byzantine: int = 0
    """Malicious sites to withstand; needs twice as many and three more to train (krum)."""
    quorum: int = 1
    """Training sites whose valid updates make a round; below it, silent ones are asked again."""
    attempts: int = 3
    """Times a round asks the silent sites; still below quorum, the run stops and can be resumed."""
    expected_sites: int = 0
    """Sites to wait for at the start; 0 = whoever is there once anyone is."""
    wait_seconds: float = 120.0
    """How long to wait for sites: at the start, and before silent ones are asked again."""
    deadline_seconds: float = 3600.0
    """How long sites have to answer a message; a round goes on without those who are later."""


@dataclass(frozen=True)
class PrivacyConfig:
    """What each patient is promised. How much noise it takes is for each site's policy to say."""

    mode: str = "none"
    """`none`, or `record-level`: each site trains with the noise, clipping, sampling and steps of
    its own policy.toml; `training.local-steps` is not read."""
    engine: str = "factored"
    """How gradients of single patients are had: `factored` (torch.func, linear layers in factors),
    `functional` (torch.func alone) or `hooks` (Opacus)."""
    secure_aggregation: bool = False
    """Whether the coordinator learns sums over three sites or more only, of updates and tallies."""
    max_update_norm: float = 0.0
    """Longest change that a site lets into a secure sum; a longer one is shortened; 0 = any."""

    @property
    def private(self) -> bool:
        """Whether anything is promised."""
        return self.mode != "none"


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, on which shared grids."""

    time_step: float = 91.3125
    """Width of a time bin in days (a quarter of a year)."""
    time_bins: int = 60
    """Number of time bins; later times fall into the last."""
    risk_bins: int = 64
    """Number of bins of risk, or of a class's log odds, of the mergeable counts."""
    horizons: str = "365.25,1095.75,1826.25"
    """Times in days at which calibration and predicted survival are stated."""
    selection: str = "concordance"
    """The validation figure that chooses the round: `concordance` (of classes: the mean AUC, which
    is their concordance) or `loss`."""


@dataclass(frozen=True)
class AuditConfig:
    """How the use of the modalities together is measured."""

    every: int = 0
    """Audit the received model every so many rounds (on validation); 0 = only the chosen model."""
    background: str = "embedding-mean"
    """What stands for a hidden modality at the end: `embedding-mean`, `input-mean`, `zero` or
    `marginal`, the site's own donors, which then stand for it in every round too."""
    donors: int = 100
    """Training patients drawn at each site to stand for hidden modalities (marginal)."""
    scales: str = ""
    """Scales the closing audit is repeated on at `evaluation.horizons`: `cumulative-hazard`,
    `survival`, comma-separated; or `probability` of classes. On all of them even an additive
    model interacts."""
    bootstrap: int = 0
    """Replicates of the closing audit's bootstrap, at least 100; 0 = the delta method alone."""
    clip: float = 0.0
    """Length in log-hazard, or logit, to which a patient's contributions are cut; 0 = never."""
    model_file: str = ""
    """A finished model on the coordinator's machine, to be audited again instead of training one;
    all settings but those of the audit must then be the model's."""
    split: str = "test"
    """Whose patients a finished model is audited on: `train`, `validation` or `test`."""


@dataclass(frozen=True)
class AlertsConfig:
    """When an audit raises an alert; 95% intervals must lie wholly beyond the threshold."""

    collapse_below: float = 0.05
    """A modality that takes part, alone or together, in less than this share of the score: a
    twentieth is little for data that each patient had taken; 0 = never."""
    divergence_above: float = 0.75
    """I-squared of the sites' interaction shares, if Cochran's Q has p < 0.05 too; three quarters
    is what Higgins et al. (2003) call high; 1 = never."""
    interaction_above: float = 0.1
    """Interaction share that should show in the ranking; published glioma models have 0.05 to 0.07
    by the same definition; 1 = never."""
    growth_above: float = 0.1
    """Rise of the interaction share since the first audited round that should show in the
    validation concordance; 1 = never."""
    gain_below: float = 0.01
    """Gain in concordance that is too small to count: one pair in a hundred."""
    redundancy_above: float = 0.1
    """Share of the score in which a combination is below the sum of its parts; 1 = never."""
