"""Hospital files become a checked cohort."""
