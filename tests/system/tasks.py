"""Four formats in which a video is a task, said in one way, so that what must hold for all is tested for all."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.system.world import Answer, World

TRIES = 2000
"""Twenty seconds, for a machine that is busy with everything else."""


@dataclass(frozen=True)
class Tasks:
    """How one provider's videos are asked for and asked about. `credits`: what `body` costs, if the format tells it."""

    provider: str
    submit: str
    body: Callable[[str], dict[str, Any]]
    bad: Mapping[str, Any]
    allowed: str
    id_of: Callable[[Any], str]
    poll: str
    state_of: Callable[[Any], str]
    running: frozenset[str]
    good: str
    message_of: Callable[[Any], str]
    code_of: Callable[[Any], Any]
    too_poor: Any
    credits: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cancel: tuple[str, str] | None = None
    webhook: str | None = "callback_url"

    def __str__(self) -> str:
        return self.provider

    async def send(self, world: World, key: str, words: str = "", **changes: Any) -> Answer:
        """A request for a video, whose prompt says to the sandbox what is to become of it."""
        prompt = f"a kite [sandbox: {words}]" if words else "a kite"
        body = _merged(self.body(prompt), changes)
        return await world.send("POST", f"/{self.provider}{self.submit}", key, json=body, headers=dict(self.headers))

    async def start(self, world: World, key: str, words: str = "", **changes: Any) -> str:
        """A task that was taken: its id."""
        answer = await self.send(world, key, words, **changes)
        assert answer.status == 200, answer.body
        return self.id_of(answer.json)

    async def ask(self, world: World, key: str, task_id: str) -> Answer:
        return await world.send("GET", f"/{self.provider}{self.poll.format(task_id)}", key)

    async def over(self, world: World, key: str, task_id: str) -> Answer:
        """The first answer that tells the end (bounded)."""
        for _ in range(TRIES):
            answer = await self.ask(world, key, task_id)
            if self.state_of(answer.json) not in self.running:
                return answer
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.provider}: {task_id} does not end")

    async def stop(self, world: World, key: str, task_id: str) -> Answer:
        assert self.cancel is not None
        method, path = self.cancel
        sent = {"json": {}} if method == "DELETE" else {}  # as Ark's SDK does, and DashScope's does not
        return await world.send(method, f"/{self.provider}{path.format(task_id)}", key, **sent)


def _merged(body: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """One level deep: `parameters` and `input` are changed and not replaced."""
    inside = {name: {**body[name], **new} for name, new in changes.items() if isinstance(body.get(name), dict)}
    return {**body, **changes, **inside}


ARK = Tasks(
    provider="ark",
    submit="/api/v3/contents/generations/tasks",
    body=lambda prompt: {
        "model": "seedance-1-5-pro-251215",
        "content": [{"type": "text", "text": prompt}],
        "resolution": "480p",
        "ratio": "16:9",
        "duration": 4,
        "generate_audio": False,
    },
    bad={"resolution": "2160p"},
    allowed="480P, 720P, 1080P",
    id_of=lambda json: str(json["id"]),
    poll="/api/v3/contents/generations/tasks/{}",
    state_of=lambda json: str(json["status"]),
    running=frozenset({"queued", "running"}),
    good="succeeded",
    message_of=lambda json: str(json["error"]["message"]),
    code_of=lambda json: json["error"]["code"],
    too_poor="insufficient_credits",
    credits="9.730476",
    cancel=("DELETE", "/contents/generations/tasks/{}"),
)

DASHSCOPE = Tasks(
    provider="dashscope",
    submit="/api/v1/services/aigc/video-generation/video-synthesis",
    body=lambda prompt: {
        "model": "wan2.5-t2v-preview",
        "input": {"prompt": prompt},
        "parameters": {"size": "832*480", "duration": 5},
    },
    bad={"parameters": {"size": "4096*4096"}},
    allowed="832x480",
    id_of=lambda json: str(json["output"]["task_id"]),
    poll="/api/v1/tasks/{}",
    state_of=lambda json: str(json["output"]["task_status"]),
    running=frozenset({"PENDING", "RUNNING"}),
    good="SUCCEEDED",
    message_of=lambda json: str(json["message"]),
    code_of=lambda json: json["code"],
    too_poor="insufficient_credits",
    credits="52.75",
    headers={"X-DashScope-Async": "enable"},
    cancel=("POST", "/api/v1/tasks/{}/cancel"),
    webhook=None,
)

MINIMAX = Tasks(
    provider="minimax",
    submit="/v1/video_generation",
    body=lambda prompt: {"model": "MiniMax-Hailuo-02", "prompt": prompt, "duration": 6, "resolution": "768P"},
    bad={"resolution": "512P"},
    allowed="768P, 1080P",
    id_of=lambda json: str(json["task_id"]),
    poll="/v1/query/video_generation?task_id={}",
    state_of=lambda json: str(json["status"]),
    running=frozenset({"Queueing", "Processing"}),
    good="Success",
    message_of=lambda json: str(json["base_resp"]["status_msg"]),
    code_of=lambda json: json["base_resp"]["status_code"],
    too_poor=1008,
    credits="59.08",
)

KLING = Tasks(
    provider="kling",
    submit="/v1/videos/text2video",
    body=lambda prompt: {"model_name": "kling-v2-6", "prompt": prompt, "mode": "pro", "duration": "5"},
    bad={"mode": "std"},
    allowed="pro is 1080P",
    id_of=lambda json: str(json["data"]["task_id"]),
    poll="/v1/videos/text2video/{}",
    state_of=lambda json: str(json["data"]["task_status"]),
    running=frozenset({"submitted", "processing"}),
    good="succeed",
    message_of=lambda json: str(json["message"]),
    code_of=lambda json: json["code"],
    too_poor=1102,
    credits="73.85",
)

ALL = (ARK, DASHSCOPE, MINIMAX, KLING)


async def film_url(world: World, key: str, tasks: Tasks, ended: Any) -> str:
    """Where the film of a task that was good can be fetched; MiniMax is asked once more for that."""
    match tasks.provider:
        case "ark":
            return str(ended["content"]["video_url"])
        case "dashscope":
            return str(ended["output"]["video_url"])
        case "minimax":
            file = await world.send("GET", f"/minimax/v1/files/retrieve?file_id={ended['file_id']}", key)
            return str(file.json["file"]["download_url"])
        case _:
            return str(ended["data"]["task_result"]["videos"][0]["url"])
