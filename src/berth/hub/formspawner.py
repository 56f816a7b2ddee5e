"""The spawner's form: what its user sees, and how what was typed becomes options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchspawner import SlurmSpawner
from jupyterhub.apihandlers import default_handlers
from tornado import web

from berth.hub import form, options

if TYPE_CHECKING:
    from berth.hub.service import Service
    from berth.hub.text import Text

# Importing batchspawner adds its own entry to JupyterHub's API; ours (berth.hub.handlers) replaces it.
default_handlers[:] = [entry for entry in default_handlers if entry[0] != r"/api/batchspawner"]


class BadOptions(web.HTTPError):
    """Options were refused: status 400 and a sentence for each field."""

    def __init__(self, error: options.OptionsError) -> None:
        """Keep the sentences for the page and for the API."""
        super().__init__(400, str(error).replace("%", "%%"), reason="Bad options")
        self.jupyterhub_message = str(error)


class LinkOnlyFillsError(ValueError):
    """A link was opened: JupyterHub shows the form with this sentence above it, and starts nothing."""

    jupyterhub_message = "The link filled in the form. Check it, then press Start."

    def __init__(self) -> None:
        """Say the same to whoever prints the error."""
        super().__init__(self.jupyterhub_message)


class FormSpawner(SlurmSpawner):
    """The half of the spawner that shows the form and takes it back."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as in the base class
        """Start with an untouched form."""
        super().__init__(**kwargs)
        self._typed: dict[str, Any] = {}
        self._problems: dict[str, str] = {}

    @property
    def service(self) -> Service:
        """What all spawners share."""
        service: Service = self.user.settings["berth"]
        return service

    @property
    def last_end(self) -> Text | None:
        """Why the last session ended, for the next page its user sees; None: there is nothing to say."""
        return None

    async def get_options_form(self) -> str:
        """Return the form with what its user may choose from now."""
        typed, problems = self._typed, self._problems
        self._typed, self._problems = {}, {}
        offer = await self.service.offer(self.user.name)
        values, _ = offer.clean({**self._last_choice(), **typed})
        return form.render(self.service, offer, values, problems, str(self.last_end or ""))

    def _last_choice(self) -> dict[str, Any]:
        stored = self.orm_spawner.user_options
        return dict(stored) if isinstance(stored, dict) else {}

    async def run_options_from_form(self, form_data: dict[str, list[Any]]) -> dict[str, str]:
        """Validate the submitted form; what was typed is kept for the page that shows the problems."""
        raw = options.single_values({k: v for k, v in form_data.items() if k != "_xsrf"})
        self._typed = raw
        offer = await self.service.offer(self.user.name)
        values, problems = offer.clean(raw)
        try:
            offer.validate(raw)
        except options.OptionsError as error:
            self._problems = problems or error.problems
            raise BadOptions(error) from error
        return values

    def options_from_query(self, query: dict[str, list[Any]]) -> dict[str, str]:
        """Refuse to start from a link: a link only fills the form."""
        self._typed = options.single_values(query)
        raise LinkOnlyFillsError
