"""The spawner's form: what its user sees, and how what was typed becomes options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchspawner import SlurmSpawner
from jupyterhub.apihandlers import default_handlers
from tornado import web

from berth.hub.form import options, refusals
from berth.hub.form import page as form
from berth.hub.operate import gate
from berth.hub.texts.labels import LABELS
from berth.hub.texts.text import ENGLISH, say

if TYPE_CHECKING:
    from berth.hub.form.options import Offer
    from berth.hub.service import Service
    from berth.hub.texts.text import Text

# Importing batchspawner adds its own entry to JupyterHub's API; ours (berth.hub.handlers) replaces it.
default_handlers[:] = [entry for entry in default_handlers if entry[0] != r"/api/batchspawner"]


class BadOptions(web.HTTPError):
    """Options were refused: status 400 and a sentence for each field."""

    def __init__(self, error: options.OptionsError) -> None:
        """Keep the sentences for the page and for the API; the journal gets them in English."""
        super().__init__(400, str(error).replace("%", "%%"), reason="Bad options")
        self.error = error

    @property
    def jupyterhub_message(self) -> str:
        """What JupyterHub shows, in the language of the request."""
        return self.error.jupyterhub_message


class LinkOnlyFillsError(ValueError):
    """A link was opened: JupyterHub shows the form with this sentence above it, and starts nothing."""

    sentence = say("form.link_filled")

    def __init__(self) -> None:
        """Say the same to whoever prints the error."""
        super().__init__(self.sentence.in_language(ENGLISH))

    @property
    def jupyterhub_message(self) -> str:
        """What JupyterHub shows, in the language of the request."""
        return str(self.sentence)


class FormSpawner(SlurmSpawner):
    """The half of the spawner that shows the form and takes it back."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as in the base class
        """Start with an untouched form."""
        super().__init__(**kwargs)
        self._typed: dict[str, Any] = {}
        self._problems: dict[str, Text] = {}
        self._estimate: Text | str = ""

    @property
    def service(self) -> Service:
        """What all spawners share."""
        service: Service = self.user.settings["berth"]
        return service

    @property
    def closed(self) -> Text | None:
        """Why the form is not to be filled in now by who reads it; None: it is."""
        return gate.note(self.service.board)

    @property
    def last_end(self) -> Text | None:
        """Why the last session ended, for the next page its user sees; None: there is nothing to say."""
        return None

    async def get_options_form(self) -> str:
        """Return the form with what its user may choose from now."""
        typed, problems, estimate = self._typed, self._problems, self._estimate
        self._typed, self._problems, self._estimate = {}, {}, ""
        offer = await self.service.offer(self.user.name)
        notes: dict[str, Text] = {}
        if problems:  # as it was sent: its user reads what to change
            values, _ = offer.clean(typed)
        else:
            values, notes = fitting(offer, self._last_choice(), typed)
        page = form.Page(
            values=values,
            problems=problems,
            notes=notes,
            last_end=self.last_end,
            estimate=estimate,
            base_url=self.hub.base_url,
            own=form.reader.get() in {"", self.user.name},
            closed=self.closed,
            exception=gate.exception(self.service.board),
            user=self.user.name,
        )
        return form.render(self.service, offer, page)

    def show_again(self, typed: dict[str, Any], problems: dict[str, Text], estimate: Text | str = "") -> None:
        """Fill the form in once more as it was, with what is wrong or with when it could start."""
        self._typed, self._problems, self._estimate = typed, problems, estimate

    def _last_choice(self) -> dict[str, Any]:
        stored = self.orm_spawner.user_options
        return {name: value for name, value in dict(stored).items() if name in LABELS} if stored else {}

    async def run_options_from_form(self, form_data: dict[str, list[Any]]) -> dict[str, str]:
        """Validate the submitted form; what was typed is kept for the page that shows the problems."""
        raw = options.single_values({k: v for k, v in form_data.items() if k != "_xsrf"})
        self._typed = raw
        try:
            return await self.checked(raw)
        except BadOptions as error:
            self._problems = error.error.problems
            raise

    async def checked(self, raw: dict[str, Any]) -> dict[str, str]:
        """Return a value for every field, or raise BadOptions or Closed: for form and REST API alike."""
        gate.check(self.service.board)
        offer = await self.service.offer(self.user.name)
        try:
            offer.validate(raw)
        except options.OptionsError as error:
            raise self.refused(error) from error
        return offer.clean(raw)[0]

    def refused(self, error: options.OptionsError) -> BadOptions:
        """Note a refusal, and return what to raise."""
        refusals.note(self.user.name, error)
        return BadOptions(error)

    def options_from_query(self, query: dict[str, list[Any]]) -> dict[str, str]:
        """Refuse to start from a link: a link only fills the form, if there is one at the moment."""
        gate.check(self.service.board)
        self._typed = options.single_values(query)
        raise LinkOnlyFillsError


def fitting(
    offer: Offer, last: dict[str, Any], asked: dict[str, Any]
) -> tuple[dict[str, str], dict[str, Text]]:
    """Return values that can be had, and a word about each that is another than its user wants.

    `last` is what was chosen the last time, `asked` what goes before it: the values of a link.
    """
    values, wrong = offer.clean({**last, **asked})
    if offer.missing is not None:
        return values, {}
    settled, changed = offer.settled(values)
    notes: dict[str, Text] = {}
    for name, label in LABELS.items():
        sentence, chosen = wrong.get(name) or changed.get(name), offer.text(name, settled[name])
        if sentence is None:
            continue
        notes[name] = say("form.adapted", sentence=sentence, choice=chosen)
        if name in wrong and name not in asked:
            notes[name] = say("form.stale", label=label, value=options.printable(last[name]), choice=chosen)
        elif name not in wrong and settled[name] == values[name]:
            notes[name] = sentence
    return settled, notes
