from __future__ import annotations

from tests.bench import queries

SDIAG = """\
Remote Procedure Call statistics by message type
\tREQUEST_JOB_INFO                        ( 2003) count:91     ave_time:147    total_time:13394
\tbench00                                 ( 2024) count:90     ave_time:145    total_time:13135

Remote Procedure Call statistics by user
\tberth-hub       (     999) count:459    ave_time:167    total_time:76838
\troot            (       0) count:13     ave_time:183    total_time:2387
\tbench00         (    2900) count:7      ave_time:88     total_time:619

Pending RPC statistics
\tNo pending RPCs
"""


def test_questions_are_counted_by_who_asked() -> None:
    assert queries.count(SDIAG, {"berth-hub", "bench00", "bench01"}) == 466
    assert queries.count(SDIAG, {"bench00"}) == 7
