"""Scripts for completion of `nar` in shells: its commands, their flags, config keys and config names.

    eval "$(nar completion bash)"
    eval "$(nar completion zsh)"

Names of flags are read from the sources of the scripts, so that no script has to be imported.
"""

import ast
import pathlib
from collections.abc import Iterator

from experiments.cli.command_list import commands
from experiments.cli.config_files import config_names
from nar.runs.config import RunConfig

SHELLS = ("bash", "zsh")

_ROOT = pathlib.Path(__file__).parents[2]

_SCRIPT = """\
{preamble}_nar() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local flag="" before="" words=""
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "{names}" -- "$current"))
        return
    fi
    if [[ $current == --*=* ]]; then
        flag="${{current%%=*}}" before="${{current%%=*}}=" current="${{current#*=}}"
    elif [[ $current == "=" ]]; then
        flag="$previous" current=""
    elif [[ $previous == "=" ]]; then
        flag="${{COMP_WORDS[COMP_CWORD-2]}}"
    fi
    if [[ $flag == --config ]]; then
        COMPREPLY=($(compgen -P "$before" -W "{configs}" -- "$current"))
    fi
    if [[ -n $flag ]]; then
        COMPREPLY+=($(compgen -P "$before" -f -- "$current"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ ${{#COMPREPLY[@]}} -eq 1 ]]; then
        compopt -o nospace 2>/dev/null
    fi
}}
complete -o default -F _nar nar"""

_PREAMBLE = {"bash": "", "zsh": "autoload -U +X bashcompinit && bashcompinit\n"}


def completion_script(shell: str) -> str:
    """The script for one of `SHELLS`, to be evaluated by it."""
    keys = [f"--config.{key.path}=" for key in RunConfig().describe()]
    cases = []
    for name in commands():
        flags = flag_names(name)
        words = [f"--{flag}=" for flag in flags] + (keys if "config" in flags else [])
        cases.append(f'        {name}) words="{" ".join(words)} --help" ;;')
    return _SCRIPT.format(
        preamble=_PREAMBLE[shell],
        names=" ".join([*commands(), "completion"]),
        configs=" ".join(config_names()),
        cases="\n".join(cases),
    )


def flag_names(script: str) -> list[str]:
    """Names of the flags that a script defines, and that it adopts from modules of `experiments.cli`."""
    return list(dict.fromkeys(_flags(_ROOT / "experiments" / f"{script}.py")))


def _flags(file: pathlib.Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function, first = ast.unparse(node.func), node.args[0]
        if "DEFINE" in function or function == "define_path":
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
        elif function == "flags.adopt_module_key_flags":
            yield from _flags(_ROOT / "experiments" / "cli" / f"{ast.unparse(first)}.py")
