"""Running PostgreSQL, which refuses to be root, when root starts the stack.

The project often lies below a folder that only root may enter (/root, a mkdtemp). Changing the
rights of such folders is out of the question, so PostgreSQL runs as another user that still gets
through. Two ways, since each is missing somewhere:

- `nobody`, keeping one capability, CAP_DAC_OVERRIDE. Containers have it by default. The
  PostgreSQL folder is given to that user.
- a user namespace in which root is called `nobody`. For sandboxes where no other user exists, or
  where files cannot change hands; containers mostly forbid it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.local.process import StackError, prctl

CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CLONE_NEWUSER = 0x10000000


@dataclass(frozen=True)
class OtherUser:
    """How a child stops being root, and whom its files must belong to."""

    owner: int
    group: int
    become: Callable[[], None]

    def give(self, folder: Path) -> None:
        """Hand the folder and everything in it to this user; never anything above it."""
        for path in _with_everything_below(folder):
            os.chown(path, self.owner, self.group, follow_symlinks=False)


def _with_everything_below(folder: Path) -> Iterator[str]:
    yield str(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield str(Path(parent, name))


def find_user(folder: Path, program: Path) -> OtherUser | None:
    """The user to run PostgreSQL as, to whom the folder then belongs; None unless root asks.

    A folder that belongs to somebody other than root, a cluster of an earlier run, decides who.
    """
    if os.geteuid() != 0:
        return None
    owner = folder.stat().st_uid
    account = pwd.getpwuid(owner) if owner else _nobody()
    candidates = [_keeping_access(account)]
    if owner == 0:
        candidates.append(_own_namespace(account))
    for user in candidates:
        if _works(user, folder, program):
            return user
    raise StackError(
        f"PostgreSQL refuses to run as root, and user {account.pw_name} cannot be given access to"
        f" {folder} and {program.parent}: run this as an ordinary user"
    )


def _nobody() -> pwd.struct_passwd:
    """An account without rights; initdb insists on one that has a name."""
    accounts = sorted(pwd.getpwall(), key=lambda account: account.pw_name != "nobody")
    for account in accounts:
        if account.pw_uid != 0:
            return account
    raise StackError("PostgreSQL refuses to run as root, and there is no other user")


def _works(user: OtherUser, folder: Path, program: Path) -> bool:
    """Try it: own the folder, enter it, run the program."""

    def become_and_enter() -> None:
        user.become()
        os.chdir(folder)
        list(Path().iterdir())
        if not os.access(program, os.R_OK | os.X_OK):  # asked as PostgreSQL asks
            raise PermissionError

    try:
        if folder.stat().st_uid != user.owner:
            user.give(folder)
        list(folder.iterdir())  # root without its usual rights may have locked itself out
        subprocess.run(
            [program, "--version"],
            preexec_fn=become_and_enter,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _keeping_access(account: pwd.struct_passwd) -> OtherUser:
    def become() -> None:
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        _keep_capability_across_setuid()
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        _keep_capability_across_exec()

    return OtherUser(account.pw_uid, account.pw_gid, become)


def _keep_capability_across_setuid() -> None:
    """NO_SETUID_FIXUP also matters later: without it access(2), which initdb uses to find the
    server, ignores the capabilities of anybody but root."""
    if prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) != 0:
        prctl(PR_SET_KEEPCAPS, 1)


def _keep_capability_across_exec() -> None:
    """Drop every capability but one, and make that one ambient: exec leaves an ordinary user none
    that is not. Failing is no error yet: every folder may be open to the user anyway."""
    libc = ctypes.CDLL(None)
    bit = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    low_and_high_sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, low_and_high_sets) != 0:
        libc.capset(header, (ctypes.c_uint32 * 6)())
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def _own_namespace(account: pwd.struct_passwd) -> OtherUser:
    def become() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{account.pw_uid} 0 1")
        Path("/proc/self/gid_map").write_text(f"{account.pw_gid} 0 1")

    return OtherUser(0, 0, become)
