"""Pictures of hyperparameters over the sizes of models."""
