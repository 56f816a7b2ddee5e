"""Beside Start: what the snapshot says of a request, and, on request only, what Slurm says."""

from __future__ import annotations

import time

from tornado import web

from berth.hub.form import advice
from berth.hub.form.options import OptionsError
from berth.hub.handlers.base import DocumentHandler, options_of
from berth.hub.operate import gate


class AdviceHandler(DocumentHandler):
    """`GET /hub/berth/api/advice?cores=…&memory=…`: whether that could start now; never asks Slurm.

    The fields are those of the form; a missing one means its default. Answers
    `{now: true|false|null, probably, sentence, suggestions: [{values, text}]}`, or 400 with
    `{problems: {field: sentence}}`.
    """

    @web.authenticated
    async def get(self) -> None:
        """Answer a logged-in user."""
        offer = await self.service.offer(self.current_user.name)
        raw = options_of(self.request.query_arguments)
        try:
            snapshot = self.service.collector.snapshot
            found = advice.advise(self.current_user.name, offer, raw, snapshot, time.time())
            hint = gate.reaches_into(self.service.board, offer.validate(raw).minutes)
        except OptionsError as error:
            self.refuse(error)
            return
        self.answer(advice.with_hint(found, hint).to_dict())


class EstimateHandler(DocumentHandler):
    """`POST /hub/berth/estimate`: when would Slurm start what the form says? Starts nothing.

    Scripts (`Accept: application/json`) get `{sentence, start, shown_start}`; a browser without them gets
    the form again, as it was filled in, with the answer.
    """

    @web.authenticated
    async def post(self) -> None:
        """Ask Slurm for a logged-in user."""
        service, user = self.service, self.current_user
        raw = options_of(self.request.body_arguments)
        offer = await service.offer(user.name)
        for_script = "application/json" in self.request.headers.get("Accept", "")
        try:
            chosen = offer.validate(raw)
        except OptionsError as error:
            if for_script:
                self.refuse(error)
                return
            user.spawner.show_again(raw, error.problems)
        else:
            found = await service.estimator.ask(user.name, chosen, service.collector.snapshot)
            if for_script:
                self.answer(found.to_dict())
                return
            user.spawner.show_again(raw, {}, found.sentence)
        self.redirect(self.hub.base_url + "spawn")
