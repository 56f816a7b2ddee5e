from __future__ import annotations

from base64 import b64encode

from berth.slurm.config.conffile import Statement, read, texts, to_read

MAIN = "/etc/slurm/slurm.conf"


def statements(text: str) -> list[tuple[int, str, str, dict[str, str]]]:
    return [
        (item.line, item.key, item.value, dict(item.more)) for item in read({MAIN: text}, MAIN).statements
    ]


def test_keys_of_any_case_blanks_and_quotes_are_read() -> None:
    text = 'ClusterName = lab\nNODENAME=a  CPUs=4 Reason="it is broken" RealMemory =  10\n  prolog=/bin/x\n'
    assert statements(text) == [
        (1, "clustername", "lab", {}),
        (2, "nodename", "a", {"cpus": "4", "reason": "it is broken", "realmemory": "10"}),
        (3, "prolog", "/bin/x", {}),
    ]


def test_comments_end_a_line_even_in_quotes_and_an_escaped_sharp_does_not() -> None:
    assert statements('# A=1\nA=1 # B=2\nC="x # y"\nD=x\\#y\n') == [
        (2, "a", "1", {}),
        (3, "c", '"x', {}),
        (4, "d", "x#y", {}),
    ]


def test_lines_that_a_backslash_continues_are_one_with_the_number_of_the_first() -> None:
    text = "NodeName=a \\\n  CPUs=4 \\   \n\tRealMemory=5\nA=1 \\ # with a comment\n\nB=2\\\\\nC=3 \\"
    assert statements(text) == [
        (1, "nodename", "a", {"cpus": "4", "realmemory": "5"}),
        (4, "a", "1", {}),
        (6, "b", "2\\", {}),
        (7, "c", "3", {}),
    ]


def test_a_comment_ends_a_continued_line() -> None:
    assert statements("NodeName=a \\\n# CPUs=4\nRealMemory=5\n") == [
        (1, "nodename", "a", {}),
        (3, "realmemory", "5", {}),
    ]


def test_line_ends_of_windows_and_bytes_of_latin_1_do_no_harm() -> None:
    text = b"# caf\xe9\r\nA=1\r\nInclude b.conf\r\nB=2".decode("latin-1")
    reading = read({MAIN: text, "/etc/slurm/b.conf": "C=3\r\n"}, MAIN)
    assert [(item.key, item.value) for item in reading.statements] == [("a", "1"), ("c", "3"), ("b", "2")]


def test_includes_are_read_in_their_place_from_the_directory_of_the_main_file() -> None:
    files = {
        MAIN: "ClusterName=Lab\nInclude nodes.conf\nINCLUDE /opt/site.conf\nZ=1\n",
        "/etc/slurm/nodes.conf": "N=1\n",
        "/opt/site.conf": "S=1\ninclude sub/%c.conf\n",
        "/etc/slurm/sub/lab.conf": "\nX=1\n",
    }
    reading = read(files, MAIN)
    assert [(item.where, item.key) for item in reading.statements] == [
        (f"{MAIN}:1", "clustername"),
        ("/etc/slurm/nodes.conf:1", "n"),
        ("/opt/site.conf:1", "s"),
        ("/etc/slurm/sub/lab.conf:2", "x"),
        (f"{MAIN}:4", "z"),
    ]
    assert reading.unread == ()


def test_a_key_that_begins_with_include_is_no_include() -> None:
    assert statements("IncludeX=1\n") == [(1, "includex", "1", {})]


def test_what_has_to_be_read_next_is_named_until_all_is_read() -> None:
    texts = {
        MAIN: "Include a.conf\n",
        "/etc/slurm/a.conf": "Include /b.conf\nInclude gone.conf\n",
        "/b.conf": "B=1\n",
    }
    files: dict[str, str | None] = {}
    rounds = []
    while wanted := to_read(files, [MAIN, "/etc/slurm/gres.conf"]):
        rounds.append(wanted)
        files |= {path: texts.get(path) for path in wanted}
    assert rounds == [
        [MAIN, "/etc/slurm/gres.conf"],
        ["/etc/slurm/a.conf"],
        ["/b.conf", "/etc/slurm/gone.conf"],
    ]
    assert [item.path for item in read(files, MAIN).unread] == ["/etc/slurm/gone.conf"]


def test_an_include_of_a_file_that_is_being_read_is_noted_and_not_followed() -> None:
    reading = read({MAIN: "A=1\nInclude slurm.conf\n"}, MAIN)
    assert [item.where for item in reading.circular] == [f"{MAIN}:2"]
    assert [item.key for item in reading.statements] == ["a"]


def test_the_file_that_is_ours_is_noted_and_not_followed() -> None:
    files = {MAIN: "Include own.conf\nA=1\n", "/etc/slurm/own.conf": "B=1\n"}
    reading = read(files, MAIN, "/etc/slurm/own.conf")
    assert reading.statements == (Statement(MAIN, 2, "a", "1"),)
    assert [item.where for item in reading.own] == [f"{MAIN}:1"]


def test_texts_come_out_of_what_slurp_read_whatever_their_encoding() -> None:
    names = {"/u": "café".encode(), "/l": "café".encode("latin-1"), "/e": b""}
    slurped = [{"item": path, "content": b64encode(raw).decode()} for path, raw in names.items()]
    found = texts([*slurped, {"item": "/gone", "msg": "file not found"}])
    assert found == {"/u": "café", "/l": "café", "/e": "", "/gone": None}
