"""The spawner: one Slurm job a session, never lost, ended only on positive evidence.

What is kept of batchspawner and what is replaced: docs/adr/0001-spawner.md.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from jupyterhub import orm
from sqlalchemy import inspect
from traitlets import TraitError

from berth.helper.client import Verdict
from berth.hub.form import options
from berth.hub.service import Followed
from berth.hub.session import story
from berth.hub.session.history import PastSession
from berth.hub.session.launch import CHECK_SECONDS, Launch, NeverQueued, StartFailed
from berth.hub.session.state import STOPPING, SessionRecord
from berth.hub.session.tellingspawner import TellingSpawner
from berth.hub.texts.text import say

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from berth.slurm.answers.records import Job

STOP_SECONDS: Final = 60.0
"""How long `stop` waits for the proof of the end before it leaves the job to the janitor."""

_UNUSED_PREFIXES: Final = ("batch_", "req_", "state_", "exec_prefix", "batchspawner_")


class BerthSpawner(TellingSpawner):
    """Starts a session as a Slurm job through the privileged helper and follows it by the collector."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as in the base class
        """Refuse configuration of batchspawner's that no longer does anything."""
        super().__init__(**kwargs)
        for cls in type(self).mro():
            for name in self.config.get(cls.__name__, {}):
                if name.startswith(_UNUSED_PREFIXES):
                    message = f"{cls.__name__}.{name} has no effect in Berth: see /etc/berth/hub.yml"
                    raise TraitError(message)
        self._submission: asyncio.Task[None] | None = None

    @property
    def _session(self) -> Session:
        session: Session = inspect(self.orm_spawner).session
        return session

    @property
    def token_id(self) -> int | None:
        """Row id of the token of the session that starts, runs or stops."""
        return self.record.token_id if self.record is not None else None

    def _job(self) -> Job | None:
        return None if self.record is None else self._launch(self.record).job()

    def ends_at(self) -> int | None:
        """Return the Unix time when Slurm ends the running job; None while that is not known."""
        job = self._job()
        return job.end_time if job is not None and job.running else None

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` saved."""
        super().load_state(state)
        self.service.history.restore(self.owner, state.get("history", []))
        if stored := state.get("session"):
            self.record = SessionRecord.from_dict(stored)
            self.service.follow(Followed(self.user.name, self.name, self.record))

    def get_state(self) -> dict[str, Any]:
        """Return all that a restarted hub needs, sessions without a proven end included."""
        state: dict[str, Any] = super().get_state()
        if self.record is not None:
            state["session"] = self.record.to_dict()
        if abandoned := self._abandoned():
            state["abandoned"] = abandoned
        if history := self.service.history.stored(self.owner):
            state["history"] = history
        return state

    def _abandoned(self) -> list[dict[str, Any]]:
        followed = [
            item.record.to_dict()
            for item in self.service.followed.values()
            if item.abandoned and (item.user, item.server) == (self.user.name, self.name)
        ]
        return followed + self.service.unreadable.get(self.owner, [])

    def clear_state(self) -> None:
        """Let go of the session; its job stays followed until its end is proven."""
        if self.record is not None:
            job = self._job()
            self._remember(self.record, job)
            if job is not None and job.ended:
                self.service.forget(self.record.nonce)  # also tells the collector whose figures are wanted
            elif followed := self.service.followed.get(self.record.nonce):
                followed.abandoned = True
        self.record = None
        super().clear_state()

    def _remember(self, record: SessionRecord, job: Job | None) -> None:
        """Put a session that is let go of into the history; one that Slurm refused has no record any more."""
        past = PastSession(record, job, closed_at=time.time(), wanted=record.phase == STOPPING)
        self.service.history.put(self.owner, past)
        if job is not None and job.ended:
            story.ended(self.owner, past)

    def _save(self) -> None:
        self.job_id = str(self.record.job_id or "") if self.record else ""
        self.orm_spawner.state = self.get_state()
        self._session.commit()

    async def start(self) -> tuple[str, int]:
        """Submit the job, wait until the session reports, return its address and port."""
        offer = await self.service.offer(self.user.name)
        try:
            chosen = offer.validate(self.user_options)
        except options.OptionsError as error:
            raise self.refused(error) from error
        now = time.time()
        self.service.history.start(self.owner, now)
        token = orm.APIToken.find(self._session, self.api_token)
        self.record = SessionRecord(secrets.token_hex(16), token.id, now, asked=chosen.asked)
        self.service.follow(Followed(self.user.name, self.name, self.record))
        self._save()
        story.accepted(self.owner, self.record, chosen)
        launch = self._launch(self.record)
        self._submission = asyncio.create_task(launch.submit(chosen, self._job_environment(chosen)))
        # Cancelling the start must not cancel the submission: its answer is the job id.
        await asyncio.wait({self._submission})
        return await self.finish_start()

    async def finish_start(self) -> tuple[str, int]:
        """Wait for a submitted session; also how a restarted hub takes up a start again."""
        if self.record is None:  # killed before the record was committed: nothing was submitted
            raise NeverQueued(say("session.lost"), reason="lost")
        try:
            if self._submission is not None:
                self._submission.result()
            return await self._launch(self.record).finish(self.server.base_url, self.http_timeout)
        except StartFailed as error:
            story.failed(self.owner, self.record, error)
            if isinstance(error, NeverQueued) and not error.lost:
                self._forget_unqueued(self.record)
            raise

    @property
    def requeued(self) -> bool:
        """Whether Slurm runs the job of a session again that served before."""
        job = self._job()
        return self.record is not None and job is not None and self._launch(self.record).requeued(job)

    def begin_again(self) -> None:
        """Forget what a requeued session reported before; `finish_start` waits for its next report."""
        job = self._job()
        if self.record is not None and job is not None:
            self._launch(self.record).begin_again(job)

    def _forget_unqueued(self, record: SessionRecord) -> None:
        self.service.forget(record.nonce)
        self.record = None
        self._save()

    def _launch(self, record: SessionRecord) -> Launch:
        return Launch(self.service, self.user.name, record, self._save, self.name)

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Leave HOME, USER and SHELL to the helper, which asks the user database outside the event loop."""
        return env

    def _job_environment(self, chosen: options.SessionOptions) -> dict[str, str]:
        """Return the variables of the session: JupyterHub's own and ours, nothing of the hub's."""
        session = self.service.hub.session
        own = {name: str(value) for name, value in self.get_env().items() if name.startswith("JUPYTERHUB_")}
        return own | {
            "BERTH_REPORT_URL": f"{self.service.hub.session_hub_url}{self.hub.base_url}api/berth/session",
            "BERTH_PORT_RANGE": f"{session.port_range[0]}-{session.port_range[1]}",
            "BERTH_RELEASE": chosen.release.name,
            "BERTH_RELEASES_INDEX": str(self.service.releases_index()),
            "BERTH_INTERFACE": chosen.interface,
            "BERTH_SESSION_ROOT": str(session.root),
            "JUPYTERHUB_DEFAULT_URL": next(
                item.url for item in self.service.form.interfaces if item.name == chosen.interface
            ),
        }

    def session_reported(self, port: int) -> None:
        """Take the report of the session (see `berth.hub.handlers`); repeating it changes nothing."""
        if self.record is not None:
            self._launch(self.record).reported(port)
        # Where the job runs is often known already; if it is not, Slurm is asked.
        self.service.collector.notify()
        self.service.collector.wake()

    def session_unused(self, minutes: int) -> None:
        """Take it that the session ends by itself because nobody used it; its end is proven by Slurm."""
        if self.record is not None:
            self.record.idle_minutes = minutes
            self._save()

    async def poll(self) -> int | None:
        """Return None while the session lives as far as is known, its exit code once its end is proven."""
        if self.record is None:
            return 0
        job = self._job()
        if job is None or not job.ended:
            return None
        return job.exit_code or 0

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 - JupyterHub's signature
        """Cancel the job and wait until Slurm says that it ended; `now` does not wait."""
        record = self.record
        if record is None:
            return
        record.phase = STOPPING
        self._save()
        if self._submission is not None:
            # Bounded by the helper client's own limit; letting go earlier could mix two starts.
            await asyncio.wait({self._submission})
            if isinstance(self._submission.exception(), NeverQueued):
                self._forget_unqueued(record)
        if record.job_id is None:
            return  # the janitor finds it by its name
        answer = await self._launch(record).cancel()
        deadline = time.monotonic() + STOP_SECONDS
        while not now and time.monotonic() < deadline:
            if answer.verdict in {Verdict.UNKNOWN, Verdict.UNAVAILABLE}:
                answer = await self._launch(record).cancel()
            job = self._job()
            if job is not None and job.ended:
                return
            self.service.collector.wake()
            await self.service.collector.changed(CHECK_SECONDS)

    def run_post_stop_hook(self) -> Any:  # noqa: ANN401 - JupyterHub's signature
        """Revoke the session's token by its row: after a hub restart the token itself is not known."""
        if self.record is not None:
            token = self._session.get(orm.APIToken, self.record.token_id)
            if token is not None and token.user_id == self.orm_spawner.user_id:
                self._session.delete(token)
                self._session.commit()
        return super().run_post_stop_hook()
