"""What Redis has on its disk: kept aside, and put back, as a disk that lost the last writes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from script.embedded import Valkey


def keep(valkey: Valkey, kept: Path) -> None:
    """Copy what the running server has written so far."""
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(valkey.data, kept)


def kill_and_forget(valkey: Valkey, kept: Path) -> None:
    """SIGKILL, and a start with what was kept: everything since is lost."""
    own = valkey.data.stat()
    valkey.kill()
    shutil.rmtree(valkey.data)
    shutil.copytree(kept, valkey.data)
    for each in (valkey.data, *valkey.data.rglob("*")):
        os.chown(each, own.st_uid, own.st_gid)
    valkey.data.chmod(0o700)
    valkey.start()
