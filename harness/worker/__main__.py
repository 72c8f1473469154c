"""`python -m harness.worker`: one arm, driven by the parent over pipes. It ends when the parent closes its end."""

from .channel import Channel

if __name__ == "__main__":
    channel = Channel()
    from .session import serve

    serve(channel)
