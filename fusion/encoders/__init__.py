"""From one modality's raw inputs to a few tokens a patient."""
