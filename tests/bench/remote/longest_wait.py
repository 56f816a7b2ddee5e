"""On the hub's host: ask its cheapest URL every 10 ms; print as JSON how many milliseconds each answer took.

Run as `python3 longest_wait.py PORT SECONDS`. What keeps the hub's event loop from running keeps it waiting.
"""

import http.client
import json
import sys
import time

EVERY_SECONDS = 0.01
PATH = "/hub/health"


def waits(port: int, seconds: float) -> list[float]:
    """The seconds that each question waited for its answer, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while (asked := time.perf_counter()) < end:
        connection.request("GET", PATH)
        connection.getresponse().read()
        found.append(time.perf_counter() - asked)
        time.sleep(max(0.0, asked + EVERY_SECONDS - time.perf_counter()))
    return found


if __name__ == "__main__":
    print(json.dumps([1000 * wait for wait in waits(int(sys.argv[1]), float(sys.argv[2]))]))
