"""Says which Debian packages are missing. Installs nothing."""

import subprocess

from .errors import LauncherError
from .settings import VM


def wanted() -> list[str]:
    lines = (VM / "packages.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def missing() -> list[str]:
    names = wanted()
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    present = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in present]


def require() -> None:
    absent = missing()
    if absent:
        raise LauncherError(
            "these packages are missing: "
            + " ".join(absent)
            + "\ninstall them with: apt-get install -y --no-install-recommends "
            + " ".join(absent)
        )
