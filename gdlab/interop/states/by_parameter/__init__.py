"""States that another library stores per parameter, as torch and Keras do."""
