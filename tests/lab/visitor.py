"""A user of the service: logs in over TLS, starts, follows, opens and stops sessions."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.lab import pages
from tests.lab.machines import LOGIN, Machine, lab
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_SECONDS = 60.0
STOP_SECONDS = 60.0
CA = "/etc/berth/tls/ca.crt"


def trust() -> ssl.SSLContext:
    """Trust the lab's own CA and nothing else, host name included."""
    return ssl.create_default_context(cadata=Machine(LOGIN).run("cat", CA))


class Visitor:
    """One user with one browser's worth of cookies."""

    def __init__(self, name: str, context: ssl.SSLContext, url: str | None = None) -> None:
        """Start with no cookies; at the lab's own hub, unless another one's URL is given."""
        self.name = name
        self.context = context
        self.http = httpx.Client(
            base_url=url or lab().url, verify=context, follow_redirects=True, timeout=30, trust_env=False
        )

    def __enter__(self) -> Self:
        """Close the connections at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.http.close()

    def log_in(self, password: str | None = None) -> httpx.Response:
        """Fill in the login form; returns the page behind it, or the form again."""
        page = self.http.get("/hub/login")
        login = pages.form(page)
        typed = {"username": self.name, "password": password or lab().passwords()[self.name]}
        return self.http.post(str(page.url.join(login.action)), data={**login.hidden, **typed})

    def xsrf(self, path: str) -> str:
        """The token that scripts send with requests to a path: the one of the nearest cookie."""
        fitting = [
            item for item in self.http.cookies.jar if item.name == "_xsrf" and path.startswith(item.path)
        ]
        return max(fitting, key=lambda item: len(item.path)).value or "" if fitting else ""

    def cookies(self, path: str) -> str:
        """The header `Cookie` that a browser sends to a path."""
        return str(self.http.build_request("GET", path).headers.get("Cookie", ""))

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make a request as the pages' scripts do: with cookies and the XSRF token."""
        headers = {"X-XSRFToken": self.xsrf(path), **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    # --- the hub ----------------------------------------------------------------------------------

    def hub(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the hub's API."""
        return self.call(method, f"/hub/api/{path}", **options)

    def form_page(self, query: str = "") -> httpx.Response:
        """Open the form."""
        return self.http.get(f"/hub/spawn{query}")

    def submit_form(self, **chosen: str) -> httpx.Response:
        """Open the form, change what is given, press Start; returns the page behind it."""
        page = self.form_page()
        form = pages.form(page, "spawn_form")
        assert "Start" in form.buttons, pages.text(page)
        values = {name: field.chosen for name, field in form.fields.items()} | chosen
        parts = {name: (None, value) for name, value in (form.hidden | values).items()}
        answer = self.http.post(str(page.url.join(form.action)), files=parts, follow_redirects=False)
        # Followed by hand: httpx would send the Content-Type of the form along, which browsers do not.
        return self.http.get(answer.headers["Location"]) if answer.is_redirect else answer

    def server(self) -> dict[str, Any] | None:
        """What the hub says of this user's session; None when there is none."""
        answer = self.hub("GET", f"users/{self.name}").raise_for_status().json()
        servers: dict[str, Any] = answer.get("servers") or {}
        return servers.get("")

    def token(self) -> str:
        """Make an API token, as on the page "Token"."""
        answer = self.hub("POST", f"users/{self.name}/tokens", json={"expires_in": 600, "note": "tests"})
        return str(answer.raise_for_status().json()["token"])

    def progress(self) -> Iterator[dict[str, Any]]:
        """Follow a start as the page that waits does; ends when it is ready or failed."""
        path = f"/hub/api/users/{self.name}/server/progress"
        headers = {"Accept": "text/event-stream", "X-XSRFToken": self.xsrf(path)}
        with self.http.stream("GET", path, headers=headers, timeout=READY_SECONDS) as stream:
            stream.raise_for_status()
            yield from events(stream)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the session can be opened; a start that failed fails at once."""

        def ready() -> bool:
            server = self.server()
            assert server is not None, f"the start of {self.name} is over: {self.last_words()}"
            return bool(server["ready"])

        until(ready, f"a ready session of {self.name}", seconds)

    def last_words(self) -> str:
        """What the hub says of a start that failed."""
        return pages.text(self.http.get(f"/hub/spawn-pending/{self.name}"))[:800]

    def press_stop(self) -> None:
        """Press "Stop my server", which cancels a start as well; do nothing where there is no session."""
        page = self.http.get("/hub/home")
        if pages.parse(page).select_one("form[action*='/berth/stop/']") is None:
            return
        form = pages.form(page)
        answer = self.http.post(str(page.url.join(form.action)), data=form.hidden)
        assert answer.status_code == 200, answer.text

    def stop(self) -> None:
        """Stop the session and wait until the hub says that it is gone."""
        self.press_stop()
        until(lambda: self.server() is None, f"no session of {self.name}", STOP_SECONDS)

    # --- the session ------------------------------------------------------------------------------

    def open_session(self) -> httpx.Response:
        """Open the session at the bare URL, as a browser that follows every redirect."""
        return self.http.get("/")

    def lab(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API of the session's server."""
        return self.call(method, f"/user/{self.name}/api/{path}", **options)


def events(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """The documents of an event stream."""
    for line in stream.iter_lines():
        if line.startswith("data:"):
            document: dict[str, Any] = json.loads(line.removeprefix("data:"))
            yield document
