"""Commands whose ``--help`` is listed with their results, so that no panel consists of it alone."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from bincam.cli.reading.option_groups import RESULTS_PANEL


class PanelledCommand(TyperCommand):
    """A command of which every option, ``--help`` included, is in a panel of its own name."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option ``--help``, in the panel of the results where the command has one."""
        option = super().get_help_option(ctx)
        panels = {getattr(parameter, "rich_help_panel", None) for parameter in self.params}
        if option is not None and RESULTS_PANEL in panels:
            option.rich_help_panel = RESULTS_PANEL  # read by typer's help
        return option
