"""The 1,015 patients of GPDBN's breast cancer data as a cohort folder, with the authors' folds.

python benchmarks/models/gpdbn_brca.py --data DIR --out DIR

Writes OUT/cohort (clinical.csv, genomics.csv) and OUT/folds.csv, for `concord-simulate
cross-validate --cohort OUT/cohort --folds-file OUT/folds.csv`. Genes become the table rna, copy
numbers cnv, and the pathology features of a patient the table pathology.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

ENDINGS = {"gene": "rnaseq", "path": "path", "cna": "cnv"}
"""What a column's name begins with, and what its kind ends with in a cohort folder."""


def main() -> int:
    """Read the table, write the cohort."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of patients.csv")
    parser.add_argument("--out", type=Path, required=True)
    parsed = parser.parse_args()
    patients = pd.read_csv(parsed.data / "patients.csv", dtype={"patient_id": str, "site": str})
    patients = patients.rename(columns={"patient_id": "case_id", "time_months": "survival_months"})
    cohort = parsed.out / "cohort"
    cohort.mkdir(parents=True)
    clinical = patients[["case_id", "site", "survival_months"]]
    clinical.assign(censorship=1 - patients["event"]).to_csv(cohort / "clinical.csv", index=False)
    features = patients.set_index("case_id").filter(regex="^(gene|path|cna)_")
    features.columns = [f"{name}_{ENDINGS[name.split('_')[0]]}" for name in features]
    features.to_csv(cohort / "genomics.csv")
    folds = patients[["case_id", "test_fold"]].rename(columns={"case_id": "patient"})
    folds.rename(columns={"test_fold": "fold"}).to_csv(parsed.out / "folds.csv", index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
