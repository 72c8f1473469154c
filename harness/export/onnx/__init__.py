"""ONNX files: the model in inference mode, with its weights; and a script that runs one."""

from .write import files

__all__ = ["files"]
