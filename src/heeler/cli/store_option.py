"""The option that names the store, the same for every command that reads or writes one."""

from typing import Annotated

import typer

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="HEELER_STORE",
        help="The store, as lake:PATH. Default: HEELER_STORE, else lake: in your data directory.",
        show_default=False,
        show_envvar=False,
    ),
]
"""Its default is `heeler.store.opening.DEFAULT`; an empty text means the same."""
