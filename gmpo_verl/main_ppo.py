"""Train: `python -m gmpo_verl.main_ppo [algorithm=gmpo] [recipe=NAME] [hardware=cpu|gpu] [any verl override]`."""

import sys

from gmpo_verl.supervisor.supervise import supervise


def main() -> None:
    sys.exit(supervise(sys.argv[1:]))


if __name__ == "__main__":
    main()
