"""How the weights came to be: data, base model, training, export, evaluation. Needs the `train` extra."""
