"""`harness completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .console import result

SHELLS = ("bash", "zsh", "fish")
#: the program, as the installed script is called
PROGRAM = "harness"
INSTALL = {
    "bash": 'eval "$(python -m harness completion bash)"    # into ~/.bashrc',
    "zsh": 'eval "$(python -m harness completion zsh)"    # into ~/.zshrc, behind compinit',
    "fish": "python -m harness completion fish > ~/.config/fish/completions/harness.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print what makes the shell complete harness with TAB: commands, options, experiments, arms, runs, words.

    It completes `harness`, the installed script, and in bash also `python -m harness`.

    \b
    Switch it on for good:
      bash  ~/.bashrc               eval "$(python -m harness completion bash)"
      zsh   ~/.zshrc, at its end    eval "$(python -m harness completion zsh)"
      fish  ~/.config/fish/completions/harness.fish is this script
    """
    from . import ASKED, harness

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    result(f"# to switch it on: {INSTALL[shell]}")
    result(found(harness, {}, PROGRAM, ASKED).source())
    if shell == "bash":
        result(AS_MODULE)


#: `python -m harness` is completed by the script's own function, its first three words taken for one; other uses of python as ever
AS_MODULE = r"""
_harness_as_module() {
    if [[ "${COMP_WORDS[1]}" != -m || "${COMP_WORDS[2]}" != harness || $COMP_CWORD -lt 3 ]]; then
        compopt -o default
        COMPREPLY=()
        return
    fi
    local program="$1"
    COMP_WORDS=(harness "${COMP_WORDS[@]:3}")
    COMP_CWORD=$((COMP_CWORD - 2))
    _harness_completion "$program"$'\n-m\nharness'    # it splits words at ends of lines
}
complete -o nosort -F _harness_as_module python python3
""".strip()
