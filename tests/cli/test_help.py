"""The help of every command, and shell completion."""

import re
import subprocess
import sys

import pytest
import typer
from rich.text import Text
from typer.core import TyperOption

from bincam.cli import app

GROUP = typer.main.get_command(app)
COMMANDS = [(name,) for name in GROUP.commands if name not in {"data", "faces"}] + [
    (group, name) for group in ("data", "faces") for name in GROUP.commands[group].commands
]


def text(outcome):
    """What was printed, without frames and line breaks."""
    assert outcome.code == 0, outcome.err
    return " ".join(re.sub("[│╭╮╰╯─]", " ", outcome.out).split())


def test_commands_are_grouped_by_task(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    printed = text(command("--help"))
    order = r"Get started demo .* Explain explain .* Audit and compare audit .* compare .* gate .* report .* "
    assert re.search(order + "Train train .* Models and data card .* data .* faces ", printed)
    assert "--attributes '\"Hair, black\",Male'" in printed


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "100")
    printed = text(command(*words, "--help"))
    assert text(command(*words, "-h")) == printed
    entry = GROUP
    for word in words:
        entry = entry.commands[word]
    for parameter in entry.params:
        assert parameter.help, f"{parameter.name} has no help"
        # What is in brackets is markup unless it is escaped: 'bincam[ray]' was shown as 'bincam'.
        assert Text.from_markup(parameter.help).plain == parameter.help.replace(r"\[", "["), parameter.name


def test_defaults_that_are_described_are_shown(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert "[default: (the pooled layer)]" in text(command("explain", "--help"))
    assert "[default: (all that model and data share)]" in text(command("audit", "--help"))


@pytest.mark.parametrize("name", ["audit", "explain", "train", "compare", "report", "gate"])
def test_every_option_is_in_a_panel_and_none_holds_too_many(command, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "120")
    panels = {}
    for parameter in GROUP.commands[name].params:
        if isinstance(parameter, TyperOption):
            assert parameter.rich_help_panel, f"--{parameter.name} is in no panel"
            panels.setdefault(parameter.rich_help_panel, []).append(parameter.name)
    assert max(map(len, panels.values())) <= 12
    outcome = command(name, "--help")
    heads = re.findall(r"╭─ (.+?) ─+╮", outcome.out)
    assert [head for head in heads if head != "Arguments"] == list(panels)  # and none of --help alone
    assert "--help" in outcome.out


def test_auto_says_what_it_takes(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    printed = text(command("audit", "--help"))
    automatic = [parameter for parameter in GROUP.commands["audit"].params if parameter.default == "auto"]
    assert len(automatic) == 4
    for parameter in automatic:
        assert re.search(r"\bauto takes \w+", parameter.help), parameter.name
    assert printed.count("[default: (auto)]") == len(automatic)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(shell):
    code = "import sys; sys.argv = ['bincam']; from bincam.cli import main; main()"

    def complete(line):
        environment = {
            "_BINCAM_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
        )
        return done.stdout

    assert "explain" in complete("bincam ex")
    assert "--reference-split" in complete("bincam audit --ref")
