"""The core: what is heard and read becomes findings. No network, no clock, no disk but the model files."""
