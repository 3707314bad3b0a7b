"""A group rolled out at once leaves what verl's own agent loop leaves, response for response."""

import asyncio
import copy
from typing import Any

import pytest
from plain_values import plain
from tensordict import TensorDict
from transformers import Qwen2Config
from verl.trainer.ppo.v1 import agent_loop_tq
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from gmpo_verl.config.compose import compose
from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
from gmpo_verl.rollout import agent_loop
from gmpo_verl.rollout.agent_loop import GroupAgentLoopWorker, _AgentLoopWorkerTQ
from gmpo_verl.rollout.queue_rows import UNREAD

N = 4


class Remote:
    """A Ray method: awaited through `.remote`."""

    def __init__(self, method: Any) -> None:
        self.remote = method


class Server:
    """Answers with a response that differs from call to call, one of them at the limit of 8 tokens."""

    def __init__(self) -> None:
        self.responses = 0
        self.calls = 0
        self.sampling: list[dict[str, Any]] = []
        self.generate = Remote(self._generate)
        self.generate_group = Remote(self._generate_group)

    def _response(self) -> TokenOutput:
        self.responses += 1
        tokens = list(range(3, 3 + 2 * self.responses))
        return TokenOutput(
            token_ids=tokens,
            log_probs=[-0.5 * token for token in tokens],
            stop_reason="completed",
            extra_fields={"global_steps": 6, "num_cached_tokens": 0},
        )

    async def _generate(self, sampling_params: dict[str, Any], **_: Any) -> TokenOutput:
        self.calls += 1
        self.sampling.append(sampling_params)
        return self._response()

    async def _generate_group(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int, interruptible: bool
    ) -> list[TokenOutput]:
        self.calls += 1
        self.sampling.append(sampling_params)
        return [self._response() for _ in range(n)]


class Grader:
    """Its score is the length of the response."""

    def __init__(self) -> None:
        self.calls = 0
        self.compute_score = Remote(self._one)
        self.compute_score_batch = Remote(self._batch)

    @staticmethod
    def _score(row: Any) -> dict[str, Any]:
        length = int(row.batch["attention_mask"][-row.batch["responses"].shape[-1] :].sum())
        truth = row.non_tensor_batch["reward_model"]["ground_truth"]
        return {"reward_score": float(length), "reward_extra_info": {"acc": float(length), "truth": truth}}

    async def _one(self, data: Any) -> dict[str, Any]:
        self.calls += 1
        return self._score(data[0])

    async def _batch(self, data: Any) -> list[dict[str, Any]]:
        self.calls += 1
        await asyncio.sleep(0.05)  # time for the other groups of a run to come
        return [self._score(data[i]) for i in range(len(data))]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    Qwen2Config(vocab_size=len(tokenizer), architectures=["Qwen2ForCausalLM"]).save_pretrained(folder)
    return compose([f"actor_rollout_ref.model.path={folder}", f"actor_rollout_ref.rollout.n={N}"])


class Run:
    """Prompts through a worker class at once, everything outside it played by the classes above."""

    def __init__(
        self,
        worker_class: Any,
        config: Any,
        monkeypatch: pytest.MonkeyPatch,
        client_class: Any = LLMServerClient,
        texts: tuple[str, ...] = ("37+58=",),
        validate: bool = False,
        **prompt: Any,
    ) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[dict[str, Any]]] = {}
        self.puts = 0
        self.server, self.grader = Server(), Grader()
        for module in (agent_loop, agent_loop_tq):
            monkeypatch.setattr(module.tq, "async_kv_put", self._put)
            monkeypatch.setattr(module.tq, "async_kv_batch_put", self._batch_put)
            monkeypatch.setattr(module.tq, "init", lambda: None)
        client = client_class(config)

        async def acquire(request_id: str, **_: Any) -> tuple[str, Server]:
            return "server", self.server

        monkeypatch.setattr(client, "_acquire_server", acquire)
        monkeypatch.setattr(client, "_release_server", lambda *_, **__: None)
        asyncio.run(self._run(worker_class, config, client, texts, validate, prompt))

    async def _run(
        self,
        worker_class: Any,
        config: Any,
        client: Any,
        texts: tuple[str, ...],
        validate: bool,
        prompt: dict[str, Any],
    ) -> None:
        worker = worker_class(config, client, reward_loop_worker_handles=[self.grader])
        prompt = {
            "agent_name": "single_turn_agent",
            "global_steps": 7,
            "index": 3,
            "data_source": "arithmetic",
            "reward_model": {"style": "rule", "ground_truth": "95"},
            "extra_info": {"index": 3},
        } | prompt
        trajectory = {"step": 7, "sample_index": 3, "rollout_n": 0, "validate": validate}
        sampling = {"temperature": 1.0, "logprobs": True}
        await asyncio.gather(
            *(
                worker._run_prompt(
                    copy.deepcopy(prompt) | {"uid": uid, "raw_prompt": [{"role": "user", "content": text}]},
                    sampling,
                    trajectory,
                )
                for uid, text in zip(("prompt", "second", "third"), texts, strict=False)
            )
        )

    async def _put(self, key: str, partition_id: str, tag: dict[str, Any]) -> None:
        self.tags.setdefault(key, []).append(tag)

    async def _batch_put(
        self, keys: list[str], tags: list[dict[str, Any]], partition_id: str, fields: TensorDict | None = None
    ) -> None:
        if fields is None:
            for key, tag in zip(keys, tags, strict=True):
                await self._put(key, partition_id, tag)
            return
        self.puts += 1
        for row, key in enumerate(keys):
            self.rows[key] = {name: values[row] for name, values in fields.items()}
            self.tags[key] = [tags[row]]


def by_response(run: Run) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Fields and tag by the length of the response; which session got which, and how long it took, is chance."""
    found = {}
    for key, row in run.rows.items():
        fields = {name: plain(value) for name, value in row.items() if name not in UNREAD}
        found[len(fields["responses"])] = (fields, run.tags[key][0])
    return found


@pytest.mark.parametrize("client", [LLMServerClient, FullyAsyncLLMServerClient])
def test_a_group_leaves_what_verls_agent_loop_leaves(config, monkeypatch, client):
    ours = Run(GroupAgentLoopWorker, config, monkeypatch, client)
    verls = Run(_AgentLoopWorkerTQ, config, monkeypatch, client)
    assert sorted(ours.rows) == sorted(verls.rows) == [f"prompt_{session}_0" for session in range(N)]
    assert ours.tags["prompt"] == verls.tags["prompt"]
    assert sorted(by_response(ours)) == [2, 4, 6, 8]
    assert by_response(ours) == by_response(verls)


@pytest.mark.parametrize("client", [LLMServerClient, FullyAsyncLLMServerClient])
def test_a_group_is_one_generation_call_one_grading_call_and_one_put(config, monkeypatch, client):
    run = Run(GroupAgentLoopWorker, config, monkeypatch, client)
    assert (run.server.calls, run.grader.calls, run.puts) == (1, 1, 1)
    assert [tag["status"] for tag in run.tags["prompt"]] == ["running", "finished"]


def test_groups_that_come_together_are_graded_and_put_together(config, monkeypatch):
    texts = ("37+58=", "3+5=", "1+2=")  # of two lengths, which a reward worker must not take for the response's
    ours = Run(GroupAgentLoopWorker, config, monkeypatch, texts=texts)
    verls = Run(_AgentLoopWorkerTQ, config, monkeypatch, texts=texts)
    assert ours.server.calls == 3
    assert max(ours.grader.calls, ours.puts) <= 2  # the first group alone, if it was the first
    assert sorted(ours.rows) == sorted(verls.rows)
    for key, row in ours.rows.items():
        assert plain(row["prompts"]) == plain(verls.rows[key]["prompts"])
        length = len(plain(row["responses"]))
        assert plain(row["rm_scores"]) == [0.0] * (length - 1) + [float(length)]
        assert plain(row["response_mask"]) == [1] * length
    assert {key: tags for key, tags in ours.tags.items() if key not in ours.rows} == {
        uid: [{"status": "running"}, {"status": "finished"}] for uid in ("prompt", "second", "third")
    }


def test_another_agent_loop_is_left_to_verl(config, monkeypatch):
    run = Run(GroupAgentLoopWorker, config, monkeypatch, agent_name="tool_agent")
    assert run.server.calls == N


def test_a_group_that_fails_says_so_and_leaves_nothing(config, monkeypatch):
    async def broken(*_: Any) -> None:
        raise RuntimeError("no server")

    monkeypatch.setattr(Server, "_generate_group", broken)
    run = Run(GroupAgentLoopWorker, config, monkeypatch)
    assert [tag["status"] for tag in run.tags["prompt"]] == ["running", "failure"]
    assert not run.rows


def test_a_response_without_a_token_fails_its_group_alone(config, monkeypatch):
    whole = Server._generate_group

    async def generate_group(self: Server, *args: Any) -> list[TokenOutput]:
        responses = await whole(self, *args)
        if self.calls == 2:
            responses[1].token_ids, responses[1].log_probs = [], []
        return responses

    monkeypatch.setattr(Server, "_generate_group", generate_group)
    run = Run(GroupAgentLoopWorker, config, monkeypatch, texts=("37+58=", "3+5=", "1+2="))
    ends = sorted(run.tags[uid][-1]["status"] for uid in ("prompt", "second", "third"))
    assert ends == ["failure", "finished", "finished"]
    assert len(run.rows) == 2 * N


def test_a_prompt_may_ask_for_another_number_of_responses(config, monkeypatch):
    assert len(Run(GroupAgentLoopWorker, config, monkeypatch, __rollout_n__=2).rows) == 2


@pytest.mark.parametrize("agent_name", ["single_turn_agent", "tool_agent"])
@pytest.mark.parametrize(
    ("validate", "do_sample", "temperature"), [(True, False, 0), (True, True, 1), (False, False, 1)]
)
def test_validation_that_does_not_sample_is_greedy(config, monkeypatch, agent_name, validate, do_sample, temperature):
    config = copy.deepcopy(config)
    config.actor_rollout_ref.rollout.val_kwargs.do_sample = do_sample
    config.actor_rollout_ref.rollout.val_kwargs.n = 1
    run = Run(GroupAgentLoopWorker, config, monkeypatch, agent_name=agent_name, validate=validate)
    assert {sampling["temperature"] for sampling in run.server.sampling} == {temperature}
