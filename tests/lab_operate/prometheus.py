"""Debian's Prometheus beside the hub, unpacked but not installed; its unit goes when the tests are done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.machines import Machine

INSTALLED = "/opt/berth-hub/prometheus"
"""Where the role puts what operators take."""
PLACE = "/var/tmp/berth-prometheus"  # noqa: S108 - of the tests' own, on a machine of the tests' own
UNIT = "berth-test-prometheus"
PORT = 19090
ASK = """\
import json, sys, urllib.parse, urllib.request
query = urllib.parse.urlencode(json.loads(sys.argv[2]))
print(urllib.request.urlopen(f"{sys.argv[1]}?{query}").read().decode())
"""


@dataclass(frozen=True)
class Prometheus:
    """The programs of the package on the hub's host."""

    login: Machine

    @classmethod
    def unpacked(cls, login: Machine) -> Prometheus:
        """Fetch the package from the machine's own sources; nothing is installed."""
        login.shell(
            f"rm -rf {PLACE} && mkdir -p {PLACE}/data && cd {PLACE} && chmod 700 . && "
            "apt-get update -qq && apt-get download -qq prometheus promtool && "
            "for package in *.deb; do dpkg -x $package .; done && rm *.deb"
        )
        return cls(login)

    def promtool(self, *arguments: str) -> Any:
        """Run promtool; its result, whatever it is."""
        return self.login.attempt(f"{PLACE}/usr/bin/promtool", *arguments)

    def write(self, name: str, text: str) -> str:
        """Write a file beside it; returns its path."""
        script = "import json, sys; open(sys.argv[1], 'w').write(sys.argv[2]); print(json.dumps(0))"
        self.login.python(script, f"{PLACE}/{name}", text)
        return f"{PLACE}/{name}"

    def start(self, token: str) -> None:
        """Run it with what an operator takes from the role, as docs/operate/metrics.md says."""
        config = yaml.safe_load(self.login.run("cat", f"{INSTALLED}/prometheus.yml"))
        (job,) = config["scrape_configs"]
        job["authorization"]["credentials_file"] = self.write("token", token)
        job["tls_config"]["ca_file"] = "/etc/berth/tls/ca.crt"
        # The lab's public port is one of the machine that the containers run on.
        job["static_configs"] = [{"targets": ["127.0.0.1:443"]}]
        config["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
        config["rule_files"] = [f"{INSTALLED}/berth.rules.yml"]
        path = self.write("prometheus.yml", json.dumps(config))
        checked = self.promtool("check", "config", path)
        assert checked.rc == 0, checked.stdout + checked.stderr
        self.login.run(
            "systemd-run",
            "--collect",
            f"--unit={UNIT}",
            f"{PLACE}/usr/bin/prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={PLACE}/data",
            f"--web.listen-address=127.0.0.1:{PORT}",
        )
        until(self._ready, "a Prometheus that is ready", 60)

    def _ready(self) -> bool:
        ready = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{PORT}/-/ready')"
        return bool(self.login.attempt("python3", "-c", ready).rc == 0)

    def stop(self) -> None:
        """End it, if it runs, and take away what it left."""
        self.login.attempt("systemctl", "stop", UNIT)
        self.login.run("rm", "-rf", PLACE)

    def ask(self, path: str, **query: str) -> Any:
        """Call its API; the data of the answer, whose status has to be success."""
        url = f"http://127.0.0.1:{PORT}/api/v1/{path}"
        answer = self.login.python(ASK, url, json.dumps(query))
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The series of an expression now."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found
