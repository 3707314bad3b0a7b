"""What verl's training workers import before they build anything (`actor_rollout_ref.model.external_lib`)."""

import torch

from gmpo_verl import own_node
from gmpo_verl.patches import checkpoint_loading, nested_rows, tcp_store, token_log_probs, weight_socket

own_node.settle_in()  # this and the next before the process group
tcp_store.install()

if not torch.cuda.is_available():
    import gmpo_verl.cpu.checkpoint_engine  # registers the engine `zmq`
    import gmpo_verl.cpu.engine  # makes the process group and registers the engine
    import gmpo_verl.cpu.saved_weights  # noqa: F401  copies what verl only names
    from gmpo_verl.cpu import packed_attention, packed_vision_attention

    packed_attention.register()
    packed_vision_attention.install()

checkpoint_loading.install()
weight_socket.install()
nested_rows.install()
token_log_probs.install()
