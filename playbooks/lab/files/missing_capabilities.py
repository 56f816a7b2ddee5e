"""Print, one on a line, the capabilities that this machine lacks and so cannot hand to a container."""

from __future__ import annotations

from pathlib import Path

# In the kernel's order: the number of a capability is its place here (linux/capability.h).
NAMES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)


def missing(status: str, last: int) -> list[str]:
    """Return the names of the capabilities up to number *last* that the bounding set in *status* lacks."""
    bounding = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))
    return [name for number, name in enumerate(NAMES[: last + 1]) if not bounding >> number & 1]


if __name__ == "__main__":
    kernel = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
    print("\n".join(missing(Path("/proc/self/status").read_text(encoding="ascii"), kernel)))
