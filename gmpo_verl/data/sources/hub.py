"""A data set of the Hugging Face hub, or its copy in the local cache."""

from typing import NamedTuple

from gmpo_verl.data.sources.saved_folder import split_of
from gmpo_verl.data.sources.split import Source, one_line
from gmpo_verl.errors import UserError


class HubId(NamedTuple):
    """A data set's id and, where it has several, which of its configurations."""

    name: str
    config: str | None = None


def open_hub(hub: HubId) -> Source:
    """Fetch a data set, from the cache where it is there.

    Raises:
        UserError: it is not on the hub, the hub cannot be reached, or the cache cannot be written.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    try:
        loaded = load_dataset(hub.name, hub.config)
    except DatasetNotFoundError as error:
        raise UserError(
            f"--source={hub.name} is neither here nor on the hub, or needs a login ({one_line(error)}): write a file, "
            "a folder or the id of a data set."
        ) from error
    except ConnectionError as error:
        raise UserError(
            f"--source={hub.name} is not here, and the hub cannot be reached ({one_line(error)}): write a file or a "
            "folder with the data set, or repeat the command with a connection and without HF_HUB_OFFLINE."
        ) from error
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"--source={hub.name} cannot be fetched from the hub ({one_line(error.__cause__ or error)}): write a file "
            "or a folder with the data set, or name a cache with free space in the environment variable HF_HOME."
        ) from error
    splits = tuple(split_of(str(name), dataset) for name, dataset in loaded.items())
    return Source(hub.name, f"{hub.name} ({hub.config})" if hub.config else hub.name, splits)
