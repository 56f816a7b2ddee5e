"""A user who has to wait, or is refused, reads why and what helps."""

from __future__ import annotations

import pytest

from berth.hub.session import reasons, status
from tests.unit.hub.factories import NOW, job, snapshot

POLICY = "Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size)"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("QOSMaxGRESPerUser", "You have as many GPUs as you may at a time."),
        ("QOSMaxCpuPerUserLimit", "You have as many cores as you may at a time."),
        ("QOSMaxMemoryPerUser", "You have as much memory as you may at a time."),
        ("QOSMaxJobsPerUserLimit", "You have as many sessions as you may at a time."),
        ("QOSMaxWallDurationPerJobLimit", "The time is longer than you may ask for."),
        ("QOSMaxGRESPerJob", "The request asks for more GPUs than one session may have"),
        ("QOSGrpGRES", "All who share this limit (QOS) have as many GPUs together"),
        ("AssocGrpGRES", "Your account has as many GPUs as it may"),
        ("AssocMaxJobsLimit", "Your account has as many sessions as it may"),
        ("MaxMemoryPerAccount", "Your account has as much memory as it may"),
        ("AssocGrpCPUMinutesLimit", "The computing time that you or your account may use is spent."),
        ("QOSMinGRES", "The request asks for fewer GPUs than it has to."),
        ("QOSResourceLimit", "You use as much as you may"),
        ("Resources", "No node has what you asked for free"),
        ("Licenses", "It starts when enough of them are free."),
        ("Prolog", "The node is being prepared."),
        ("Cleaning", "It starts again by itself."),
        ("NodeDown", "It starts when that one or another has room."),
        ("JobLaunchFailure", "if it still waits in a few minutes, cancel and start again."),
        ("SystemFailure", "if it still waits in a few minutes, cancel and start again."),
        ("JobHoldMaxRequeue", "Slurm holds it now. Cancel, and start again;"),
        ("launch failed requeued held", "Slurm holds it now. Cancel, and start again;"),
        ("launch_failed_requeued_held", "Slurm holds it now. Cancel, and start again;"),
        ("BadConstraints", "it never starts. Cancel, and ask for something else."),
        ("PartitionConfig", "it never starts. Cancel, and ask for something else."),
        ("DeadLine", "it never starts. Cancel, and start again."),
        ("DependencyNeverSatisfied", "it never starts. Cancel, and start again."),
        ("SomethingNew", "Slurm gives a reason of its own. If it does not change, ask user support."),
    ],
)
def test_the_reason_of_a_wait_is_a_sentence_with_slurms_word_for_the_support(word: str, said: str) -> None:
    text = status.of(None, job(reason=word), snapshot(), NOW).message
    assert said in text
    assert f"({word})" in text


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("QOSMaxGRESPerUser", "The request asks for more GPUs than you may have at a time. Ask for less."),
        ("QOSMaxCpuPerUserLimit", "The request asks for more cores than you may have at a time."),
        ("QOSMaxMemoryPerUser", "The request asks for more memory than you may have at a time."),
        ("QOSMaxWallDurationPerJobLimit", "The time is longer than you may ask for. Ask for less."),
        ("QOSMaxSubmitJobPerUserLimit", "You have as many requests in the queue as you may at a time. Wait"),
        ("AssocMaxSubmitJobLimit", "Your account has as many requests in the queue as it may"),
        ("AssocGrpSubmitJobsLimit", "Your account has as many requests in the queue as it may"),
        ("QOSGrpSubmitJobsLimit", "All who share this limit (QOS) have as many requests in the queue"),
        ("MaxSubmitJobsPerAccount", "Your account has as many requests in the queue as it may"),
    ],
)
def test_a_refusal_for_a_limit_says_which_and_keeps_slurms_own_words(word: str, said: str) -> None:
    text = str(reasons.refusal(f"{word}; {POLICY}"))
    assert text.startswith(said)
    own = POLICY.removeprefix("Batch job submission failed: ")  # that a submission failed is clear by then
    assert text.endswith(f"({word}; {own})")


def test_other_refusals_stay_as_slurm_said_them() -> None:
    assert str(reasons.refusal("Invalid account")) == "Invalid account"
