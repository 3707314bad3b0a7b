"""A driver that speaks the status protocol and misbehaves as its first argument says. Run as a script."""

import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
scenario = sys.argv[1]
run_dir = Path(os.environ["FAKE_RUN_DIR"])


def tell(event: str, **fields: object) -> None:
    os.write(int(os.environ["GMPO_STATUS_FD"]), (json.dumps({"event": event, **fields}) + "\n").encode())


def begin(total_steps: int = 3, **fields: object) -> None:
    (run_dir / "logs").mkdir(parents=True, exist_ok=True)
    tell("run", run_dir=str(run_dir), total_steps=total_steps, first_step=1, **fields)


def row(step: int, **data: float) -> None:
    with (run_dir / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "data": data}) + "\n")


def actor(title: str) -> "subprocess.Popen[bytes]":
    """A process with this title, as Ray's workers have one."""
    return subprocess.Popen([title, *SLEEP[1:]], executable=sys.executable, start_new_session=True)


def orphan() -> None:
    """A process in a session of its own whose parent has ended, as a daemon's has."""
    code = f"import subprocess; subprocess.Popen({SLEEP!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", code], check=True)


def untracked_shared_memory(name: str) -> shared_memory.SharedMemory:
    memory = shared_memory.SharedMemory(name=name, create=True, size=4096)
    resource_tracker.unregister(memory._name, "shared_memory")
    return memory


match scenario:
    case "finish":
        begin()
        row(0, **{"val-core/sums/acc/mean@4": 0.25})
        for step in (1, 2, 3):
            time.sleep(0.3)
            row(step, **{"critic/score/mean": step / 10, "training/rollout_actor_probs_pearson_corr": 1 - step / 1000})
        row(3, **{"val-core/sums/acc/mean@4": 0.75})
        orphan()
        tell("warning", message="correlation is 0.94")
        tell("finished")
    case "finish, then abort":
        begin()
        tell("finished")
        os.abort()
    case "print and leave":
        print("algorithm: gmpo")
    case "user error":
        print("gmpo_verl: no algorithm 'gmop'; did you mean gmpo?", file=sys.stderr)
        sys.exit(2)
    case "stop early":
        begin()
        row(1)
    case "report an error":
        begin()
        row(1)
        time.sleep(0.7)
        orphan()
        tell("error", message="the gradient was not finite three times in a row")
        sys.exit(1)
    case "raise":
        begin()
        text = "Traceback (most recent call last):\n  File x\nValueError: \x1b[31mno such column\x1b[0m\n(pid=12) bye\n"
        (run_dir / "logs" / "driver.log").write_text(text)
        logs = Path(os.environ["GMPO_TEMP_DIR"], "ray", "session_2026-01-01", "logs")
        logs.mkdir(parents=True)
        (logs / "raylet.out").write_text("x" * (3 << 20) + "the end")
        sys.exit(1)
    case "die":
        begin()
        os.kill(os.getpid(), signal.SIGKILL)
    case "lose a worker":
        begin(total_steps=1000)
        worker, _ = actor("ray::RewardLoopWorker.compute_score"), actor("ray::AgentLoopWorkerTQ")
        orphan()
        row(7)
        time.sleep(2.5)
        worker.kill()
        worker.wait()
        time.sleep(600)
    case "lose a worker and report":
        begin(total_steps=1000)
        worker = actor("ray::WorkerDict")
        time.sleep(2.5)
        worker.kill()
        worker.wait()
        time.sleep(0.5)
        tell("error", message="ActorDiedError: the actor died")
        sys.exit(1)
    case "lose an idle worker":
        begin()
        worker = actor("ray::IDLE")
        time.sleep(2.5)
        worker.kill()
        worker.wait()
        time.sleep(1.5)
        tell("finished")
    case "shut down, then finish":
        begin()
        worker = actor("ray::SimpleStorageUnit")
        time.sleep(2.5)
        worker.kill()
        worker.wait()
        time.sleep(1)
        tell("finished")
    case "hold everything":
        begin(total_steps=1000)
        tracked = shared_memory.SharedMemory(create=True, size=9)
        memory = [tracked, untracked_shared_memory(os.environ["FAKE_SHARED_MEMORY"])]
        Path(os.environ["TMPDIR"], "left_over").touch()
        orphan()
        row(5)
        if "stubborn" in sys.argv:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "report" in sys.argv:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(134))
        (run_dir / "ready").write_text(" ".join([os.environ["GMPO_TEMP_DIR"], *(part.name for part in memory)]))
        time.sleep(600)
    case "train until asked to save":
        begin(total_steps=1000)
        if "starting" not in sys.argv:
            tell("training")
        (run_dir / "ready").write_text("yes")
        while not (run_dir / ".save_and_stop").exists():
            time.sleep(0.05)
        row(8)
        tell("saved", step=8)
        sys.exit(75)
    case "fail":
        # `fail STEP CAUSE, STEP CAUSE, ...`, an attempt each, and finish when all are used up.
        failures, restart = sys.argv[2].split(", "), int(os.environ["GMPO_RESTART"])
        begin(max_restarts=int(sys.argv[3]), log_name=f"driver-{restart + 1}.log")
        if restart == len(failures):
            tell("finished")
            sys.exit(0)
        step, _, cause = failures[restart].partition(" ")
        row(int(step))
        time.sleep(0.7)
        if cause == "mistake":
            sys.exit(2)
        if cause == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        tell("error", message=f"{cause} in process {os.getpid()}", stopped_itself=cause == "guard")
        sys.exit(1)
