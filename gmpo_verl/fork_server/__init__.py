"""The imports of a run done once: a process that has them, and forks into every worker.

A run on one machine has ten Python processes, each of which would import torch, verl and vLLM for 3 to 8 s. Ray
starts its workers, and vLLM its engine, through an executable of our own (Ray's `py_executable`, multiprocessing's
`set_executable`), `client.py`. It hands its arguments, environment and open files to the server, which forks and runs
them as Python would; the client waits for the fork's end and ends alike. Without a server it becomes Python itself.

Fork is safe here because the server has one thread when it forks, no connection, and no accelerator.
"""
