"""States that another library keeps by parameter, as torch and Keras do."""
