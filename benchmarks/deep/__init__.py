"""A convolutional net, an LSTM and a transformer: our adapters against loops that an expert wrote by hand, and numpy against PyTorch."""
