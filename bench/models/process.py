"""Starts one measuring process and keeps its busy threads on processors of their own."""
import json
import os
import subprocess
import tempfile
import time

POLL_S = 0.02
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def threads_by_use(pid):
    """[(ticks of processor time, thread id)], busiest first."""
    used = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        used.append((int(fields[11]) + int(fields[12]), int(thread)))
    return sorted(used, reverse=True)


def measure(command, threads, spread=True):
    """Runs `command`, which prints one JSON object, and returns it with `process_busy`: processor time over wall time
    of the whole process.

    Some schedulers, those of small virtual machines above all, pack two busy threads onto one processor for seconds.
    With `spread` each of the `threads` busiest threads is moved to a processor of its own as soon as it is known (within
    the warm-up); fovea and its rivals are treated alike.
    """
    processors = sorted(os.sched_getaffinity(0))
    placed = {}
    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            if spread and 1 < threads <= len(processors) and len(placed) < threads:
                place(process.pid, processors, placed, threads)
            time.sleep(POLL_S)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, message = out.read().decode(), err.read().decode()
    if process.returncode != 0:
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(command)}\n{message.strip()}")
    result = json.loads(text)
    result["process_busy"] = (usage.ru_utime + usage.ru_stime) / wall
    return result


def place(pid, processors, placed, threads):
    try:
        for ticks, thread in threads_by_use(pid)[:threads]:
            if ticks < 0.03 * CLOCK_TICKS or thread in placed:
                continue
            free = [p for p in processors if p not in placed.values()]
            os.sched_setaffinity(thread, {free[0]})
            placed[thread] = free[0]
            if len(placed) == threads:
                return
    except (FileNotFoundError, ProcessLookupError):
        pass  # a thread or the process has just ended
