"""`python -m harness.worker`: one arm, driven by the parent over pipes. It leaves without unloading its framework, which would
take seconds."""

import os

from .channel import Channel

if __name__ == "__main__":
    channel = Channel()
    from .session import serve

    serve(channel)
    channel.answers.flush()
    os._exit(0)
