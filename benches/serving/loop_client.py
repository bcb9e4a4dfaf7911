"""A control loop of the Python client: one request on each tick, over a PredictStream.

    python3 loop_client.py ADDRESS RATE SECONDS

Prints a JSON object: `latencies_ns` from the start of each tick to its answer, and the ticks that were `missed`, because the
answer of an earlier tick came after their start.
"""

import json
import sys
import time

import certimix
import numpy as np

WARM_UP = 0.5  # seconds, which are not counted
DEADLINE = 5.0  # seconds


def main() -> None:
    address, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    state = np.zeros(8, np.float32)
    latencies, missed = [], 0
    with certimix.Client(address) as client, client.predict_stream(deadline=DEADLINE) as stream:
        stream.predict(state)
        start = time.monotonic()
        tick = 0
        while (due := start + tick / rate) < start + WARM_UP + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            stream.predict(state)
            answered = time.monotonic()
            next_tick = max(tick + 1, int((answered - start) * rate) + 1)
            if due >= start + WARM_UP:
                latencies.append(round((answered - due) * 1e9))
                missed += next_tick - tick - 1
            tick = next_tick
    print(json.dumps({"latencies_ns": latencies, "missed": missed}))


if __name__ == "__main__":
    main()
