"""Which account a local server runs as, when the script itself runs as root.

Policy: never root, which PostgreSQL refuses for good reasons: the owner of the data, else of the
directory above it (root at work in somebody's checkout), else `nobody`. Where that account can't
reach the checkout (one under /root, say), the server is given the one capability that lets it
through, CAP_DAC_OVERRIDE: still less than root has.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

NOBODY = "nobody"


class AccountError(Exception):
    """No account to run a server as; one line with the remedy."""


def account_for(data: Path) -> pwd.struct_passwd | None:
    """Whom to become for a server on `data`; None where this user runs it itself."""
    if os.geteuid() != 0:
        return None
    for place in (data, *data.parents):
        if place.exists():
            uid = place.stat().st_uid
            break
    try:
        return pwd.getpwuid(uid) if uid else pwd.getpwnam(NOBODY)
    except KeyError:
        raise AccountError(
            f"root can't run the local servers itself and the system has no user for "
            f"{uid or NOBODY}: run this as an ordinary user"
        ) from None


def spawn_for(
    data: Path, command: list[str], *, output: IO[bytes], pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Run `command` as `data`'s account, in a session of its own; it makes private files.

    Its standard input is a pipe; its environment is ours in nothing, secrets least of all.
    """
    prefix: list[str] = []
    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    if account := account_for(data):
        if reaches(account, [data.parent, Path(command[0])]):
            uid, gid, groups = account.pw_uid, account.pw_gid, []
        else:
            prefix = through_locked_doors(account)
    return subprocess.Popen(
        [*prefix, *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        start_new_session=True,
        pass_fds=pass_fds,
        umask=0o077,
        user=uid,
        group=gid,
        extra_groups=groups,
    )


def owner_name(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def reaches(account: pwd.struct_passwd, paths: Sequence[Path]) -> bool:
    """Whether the account may read all of `paths`, asked of the system rather than guessed."""
    question = 'for path; do test -r "$path" || exit 1; done'
    answer = subprocess.run(
        ["/bin/sh", "-c", question, "sh", *map(str, paths)],
        check=False,
        cwd="/",
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
    )
    return answer.returncode == 0


def through_locked_doors(account: pwd.struct_passwd) -> list[str]:
    """The command prefix that becomes `account` and passes directories closed to it."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise AccountError(
            f"{account.pw_name} can't read this checkout and setpriv (util-linux) is missing: "
            f"run this as an ordinary user, or move the checkout where everybody may read it"
        )
    return [
        setpriv,
        f"--reuid={account.pw_uid}",
        f"--regid={account.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--bounding-set=-all,+dac_override",
    ]
