"""`heeler start`, `stop` and `reload`."""

from heeler.cli.config_option import ConfigOption
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.clock import SystemClock
from heeler.config.finding import found_configuration
from heeler.daemon import background
from heeler.errors import Exit
from heeler.store.url import lake_folder
from heeler.views.escape import printable


def start(config: ConfigOption = "", store: StoreOption = "") -> int:
    """Collect in the background, as the configuration says."""
    from heeler.daemon.configuration import configured  # noqa: PLC0415 - takes a while, and to stop needs none of it

    path = found_configuration(config)
    settings = configured(path).settings
    arguments = [*(["--config", str(path)] if path else []), "--store", store or settings.store]
    pid = background.start(arguments, settings.log_file, settings.pid_file)
    notice(printable(f"Heeler collects as process {pid}; its own log is {settings.log_file}."))
    return Exit.DONE


def stop(config: ConfigOption = "", store: StoreOption = "") -> int:  # noqa: ARG001 - see `StoreOption`
    """End the background process; what it has taken in is stored first."""
    pid = background.stop(lake_folder(store), SystemClock())
    notice(f"Process {pid} has ended.")
    return Exit.DONE


def reload(config: ConfigOption = "", store: StoreOption = "") -> int:  # noqa: ARG001 - see `StoreOption`
    """Let the background process read its configuration again."""
    background.ask(lake_folder(store), "reload")
    notice("The configuration was read again.")
    return Exit.DONE
