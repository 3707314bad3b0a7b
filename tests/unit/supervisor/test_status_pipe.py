"""Events from the driver."""

import os

from gmpo_verl.supervisor.status import DriverStatus, StatusPipe


def test_events_arrive_whole_in_order_and_anything_else_is_shown() -> None:
    pipe, status = StatusPipe(), DriverStatus()
    os.write(pipe.child_fd, b'{"event": "stage", "text": "starting"}\n{"event": "run", "run_dir": "/r", "first_')
    pipe.read_into(status)
    assert (status.news, status.run) == (["starting"], None)
    os.write(
        pipe.child_fd, b'step": 4, "total_steps": 9}\nplain\n{"event": "warning", "message": "low"}\n{"event": "new"}\n'
    )
    os.write(pipe.child_fd, b'{"event": "error", "message": "first"}\n{"event": "error", "message": "second"}\n')
    os.write(pipe.child_fd, b'{"event": "finished"}\n')
    pipe.close_child_end()
    pipe.read_into(status)
    assert pipe.at_end and status.finished and status.error == "first"
    assert status.run is not None and (status.run.first_step, status.run.total_steps) == (4, 9)
    assert status.news[1:] == ["run directory: /r", "resuming at step 4", "plain", "warning: low"]
    os.close(pipe.fd)
