"""How fast are the encoders beside torch, sentence-transformers, onnxruntime, candle's stock models and llama.cpp?

    make peers
    cargo build --release --example stock_candle
    .venv-peers/bin/python benches/python/embedding.py [--models qwen3-0.6b minilm] [--peers torch candle] [--rounds 5]
    .venv-peers/bin/python benches/python/embedding.py --dtype bfloat16 --peers ours-float32 torch torch-bfloat16
    .venv-peers/bin/python benches/python/embedding.py --models qwen3-0.6b --dtype int8 --peers llama.cpp-q8_0

Everybody embeds the same tokens of the same model in turn, in one run (ours, torch, onnxruntime, candle, ours, ...).
The table gives medians and ratios; the goal is at most 1.0 times torch in float32. Ours, candle and llama.cpp run on
--threads; the others on the better of one thread and --threads, found before each row. All compute in float32 unless
--dtype or a peer's name says otherwise; ours keeps weights in the type of their file, bfloat16 for Qwen3. The texts of
a batch have one length, so nobody pads. A run is one forward and the pooling; texts are tokens already,
but for sentence-transformers, whose `encode` cuts them.

A peer is one class in `PEERS`.
"""

import argparse
import contextlib
import functools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import embedding_models
import numpy as np
import torch
import transformers

from vsr import _core

SHAPES = ((1, 16), (1, 64), (32, 64), (1, 512))
_ROUND_S = 0.2  # a contestant runs about this long in each round, and at least once
_LONG_S = 2.0
_PAUSE_S = 0.02  # so that no thread of the last contestant still spins


class Contestant(Protocol):
    """Somebody who can embed."""

    def prepare(self, n_texts: int, n_tokens: int) -> Callable[[int], float]:
        """Get ready for one shape; the result runs that often and gives the seconds of all runs."""
        ...


def timed(work: Callable[[], object]) -> Callable[[int], float]:
    """Time a function that is called here."""

    def runs(n_runs: int) -> float:
        start = time.perf_counter()
        for _ in range(n_runs):
            work()
        return time.perf_counter() - start

    return runs


def settled(runs: Callable[[int], float]) -> float:
    """Time one run after others have warmed everything up; a run of seconds needs no warming."""
    first_s = runs(1)
    return first_s if first_s > _LONG_S else min(runs(1) for _ in range(3))


def on_better(n_threads: int, runs_on: Callable[[int], Callable[[int], float]]) -> Callable[[int], float]:
    """Choose the quicker of one thread and `n_threads`."""
    return min([runs_on(n) for n in sorted({1, n_threads})], key=settled)


class Ours:
    """The encoder of this project."""

    def __init__(self, folder: Path, n_threads: int, dtype: str = "float32", device: str = "cpu") -> None:
        """Load it."""
        _core.set_n_threads(n_threads)
        self._folder = folder
        self._encoder = _core.TextEncoder(folder, dtype=dtype, device=device)

    def prepare(self, n_texts: int, n_tokens: int) -> Callable[[int], float]:
        """Cut the text into tokens beforehand."""
        tokens = self._encoder.tokenize([embedding_models.text_of(self._folder, n_tokens)] * n_texts)
        if set(tokens.lengths) != {n_tokens}:
            raise SystemExit(f"{self._folder}: {set(tokens.lengths)} tokens, expected {n_tokens}")
        rows = np.arange(n_texts, dtype=np.uint32)
        return timed(lambda: self._encoder.embed(tokens, rows))


def token_ids(folder: Path, n_texts: int, n_tokens: int) -> torch.Tensor:
    """Give the same tokens as ours, (n_texts, n_tokens)."""
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    ids = tokenizer(embedding_models.text_of(folder, n_tokens))["input_ids"]
    if len(ids) != n_tokens:
        raise SystemExit(f"{folder}: {len(ids)} tokens, expected {n_tokens}")
    return torch.tensor([ids] * n_texts)


def load_torch(folder: Path, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    """Load the model of transformers."""
    return transformers.AutoModel.from_pretrained(folder, dtype=dtype).eval()


class Torch:
    """Transformers on torch, with its own choice of attention."""

    _dtype = torch.float32

    def __init__(self, folder: Path, n_threads: int, device: str = "cpu") -> None:
        """Load it."""
        self._folder, self._n_threads, self._device = folder, n_threads, device
        self._model = load_torch(folder, self._dtype).to(device)

    def prepare(self, n_texts: int, n_tokens: int) -> Callable[[int], float]:
        """Find the better number of threads."""
        ids = token_ids(self._folder, n_texts, n_tokens).to(self._device)
        causal = self._model.config.model_type == "qwen3"
        arguments = {"use_cache": False} if causal else {}

        @torch.inference_mode()
        def work() -> torch.Tensor:
            hidden = self._model(input_ids=ids, attention_mask=torch.ones_like(ids), **arguments).last_hidden_state
            pooled = hidden[:, -1] if causal else hidden.mean(1)
            return torch.nn.functional.normalize(pooled).cpu()  # waits for another device

        return on_better(self._n_threads, lambda n: torch_runs(work, n))


def torch_runs(work: Callable[[], object], n_threads: int) -> Callable[[int], float]:
    """Time a function of torch on so many of its threads, a setting that all its users here share."""

    def runs(n_runs: int) -> float:
        torch.set_num_threads(n_threads)
        return timed(work)(n_runs)

    return runs


class TorchBfloat16(Torch):
    """The same, all in bfloat16."""

    _dtype = torch.bfloat16


class SentenceTransformers:
    """What most people call, from texts: the tokenizer's work counts too."""

    def __init__(self, folder: Path, n_threads: int, device: str = "cpu") -> None:
        """Load it."""
        import sentence_transformers  # noqa: PLC0415  # only this peer needs it

        self._folder, self._n_threads = folder, n_threads
        self._model = sentence_transformers.SentenceTransformer(
            str(folder), device=device, model_kwargs={"dtype": torch.float32}
        )

    def prepare(self, n_texts: int, n_tokens: int) -> Callable[[int], float]:
        """Find the better number of threads."""
        texts = [embedding_models.text_of(self._folder, n_tokens)] * n_texts
        found = len(self._model.tokenizer(texts[0])["input_ids"])
        if found != n_tokens:
            raise SystemExit(f"{self._folder}: {found} tokens, expected {n_tokens}")

        def work() -> object:
            return self._model.encode(texts, batch_size=n_texts, normalize_embeddings=True, show_progress_bar=False)

        return on_better(self._n_threads, lambda n: torch_runs(work, n))


class OnnxRuntime:
    """Onnxruntime on an export of the same forward, made once and kept beside the model."""

    def __init__(self, folder: Path, n_threads: int) -> None:
        """Export if needed, then open a session for each number of threads."""
        import onnxruntime  # noqa: PLC0415  # only this peer needs it

        path = folder / "onnx" / "model.onnx"
        if not path.is_file():
            export(folder, path)
        self._folder = folder
        self._n_threads = n_threads
        self._sessions = {}
        for n in {1, n_threads}:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = n
            options.log_severity_level = 3
            # Its threads would go on spinning while others run.
            options.add_session_config_entry("session.intra_op.allow_spinning", "1")
            options.add_session_config_entry("session.force_spinning_stop", "1")
            self._sessions[n] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def prepare(self, n_texts: int, n_tokens: int) -> Callable[[int], float]:
        """Find the better number of threads."""
        ids = token_ids(self._folder, n_texts, n_tokens).numpy()
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return on_better(self._n_threads, lambda n: timed(lambda: self._sessions[n].run(None, inputs)))


def export(folder: Path, path: Path) -> None:
    """Export the plain forward of transformers, with batch and length open."""
    model = load_torch(folder)
    model.config.use_cache = False

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    ids = torch.ones((2, 24), dtype=torch.int64)
    batch, length = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("length", min=2, max=512)
    axes = {0: batch, 1: length}
    unfinished = path.parent.with_name(f"onnx-{os.getpid()}")
    unfinished.mkdir()
    with contextlib.redirect_stdout(sys.stderr):  # its progress is no row of the table
        torch.onnx.export(
            Hidden().eval(),
            (ids, torch.ones_like(ids)),
            unfinished / path.name,
            input_names=["input_ids", "attention_mask"],
            output_names=["hidden"],
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
            dynamo=True,
            external_data=True,
        )
    unfinished.rename(path.parent)


class Candle:
    """candle-transformers' stock model, in a process of its own."""

    def __init__(self, folder: Path, n_threads: int) -> None:
        """Start it and wait until it has loaded."""
        target = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[2] / "target"))
        program = target / "release" / "examples" / "stock_candle"
        if not program.is_file():
            raise SystemExit(f"{program} is missing: cargo build --release --example stock_candle")
        if folder.name.startswith("embeddinggemma"):
            raise NotImplementedError("candle-transformers has no Gemma 3 that looks to both sides")
        self._process = subprocess.Popen(
            [program, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAYON_NUM_THREADS": str(n_threads)},
        )
        self._answer()

    def __del__(self) -> None:
        """End the process."""
        if hasattr(self, "_process"):
            self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the process of candle's stock model ended")
        return line

    def prepare(self, n_texts: int, n_tokens: int) -> Callable[[int], float]:
        """Ask by a line, wait for the answer."""

        def runs(n_runs: int) -> float:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{n_texts} {n_tokens} {n_runs}\n")
            self._process.stdin.flush()
            return float(self._answer())

        return runs


class LlamaCpp:
    """llama.cpp with weights in Q8_0, compiled for this machine, on --threads; each text is a sequence of one batch."""

    def __init__(self, folder: Path, n_threads: int) -> None:
        """Write the file if needed, and load it."""
        import embedding_gguf  # noqa: PLC0415  # only this peer needs it
        import llama_cpp  # noqa: PLC0415  # likewise

        self._api, self._folder, self._n_threads = llama_cpp, folder, n_threads
        self._context = None
        self._silent = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silent, None)
        llama_cpp.llama_backend_init()
        path = str(embedding_gguf.gguf_file(folder)).encode()
        self._model = llama_cpp.llama_model_load_from_file(path, llama_cpp.llama_model_default_params())
        if not self._model:
            raise RuntimeError(f"llama.cpp does not load {path.decode()}")

    def embedder(self, ids: np.ndarray) -> Callable[[], np.ndarray]:
        """Get ready for texts (n, length) of tokens; the result embeds them: (n, dim), rows of unit length."""
        api, (n_texts, n_tokens) = self._api, ids.shape
        if self._context is not None:
            api.llama_free(self._context)
        settings = api.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = ids.size
        settings.n_seq_max = n_texts
        settings.n_threads = settings.n_threads_batch = self._n_threads
        settings.embeddings = True
        self._context = context = api.llama_init_from_model(self._model, settings)
        dim = api.llama_model_n_embd(self._model)
        batch = api.llama_batch_init(ids.size, 0, 1)
        batch.n_tokens = ids.size
        for i, token in enumerate(ids.ravel().tolist()):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i % n_tokens, 1, 1
            batch.seq_id[i][0] = i // n_tokens

        def work() -> np.ndarray:
            api.llama_memory_clear(api.llama_get_memory(context), False)
            if code := api.llama_decode(context, batch):
                raise RuntimeError(f"llama_decode gave {code}")
            rows = [np.ctypeslib.as_array(api.llama_get_embeddings_seq(context, i), (dim,)) for i in range(n_texts)]
            vectors = np.stack(rows)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        return work

    def prepare(self, n_texts: int, n_tokens: int) -> Callable[[int], float]:
        """Fill a batch beforehand."""
        return timed(self.embedder(token_ids(self._folder, n_texts, n_tokens).numpy()))


PEERS: dict[str, Callable[[Path, int], Contestant]] = {
    "torch": Torch,
    "sentence-transformers": SentenceTransformers,
    "onnxruntime": OnnxRuntime,
    "candle": Candle,
    "ours-float32": Ours,
    "ours-bfloat16": functools.partial(Ours, dtype="bfloat16"),
    "torch-bfloat16": TorchBfloat16,
    "llama.cpp-q8_0": LlamaCpp,
}
_DEFAULT_PEERS = ["torch", "sentence-transformers", "onnxruntime", "candle"]


def compare(contestants: dict[str, Contestant], n_texts: int, n_tokens: int, n_rounds: int) -> dict[str, float]:
    """Let everybody run in turn; medians in milliseconds for one run."""
    runs = {name: contestant.prepare(n_texts, n_tokens) for name, contestant in contestants.items()}
    n_runs = {name: max(1, int(_ROUND_S / settled(run))) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(n_rounds):
        for name, run in runs.items():
            time.sleep(_PAUSE_S)
            times[name].append(run(n_runs[name]) / n_runs[name] * 1e3)
    return {name: statistics.median(own) for name, own in times.items()}


def milliseconds(value: float) -> str:
    """Write a time with three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=embedding_models.MODELS, default=embedding_models.MODELS)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=_DEFAULT_PEERS)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "int8"), default="float32", help="of ours")
    parser.add_argument("--shapes", nargs="+", default=[f"{n}x{length}" for n, length in SHAPES])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print(f"| model | texts x tokens | ours, ms | {' | '.join(f'{p}, ms | ours / {p}' for p in arguments.peers)} |")
    print(f"|---|---|---|{'---|---|' * len(arguments.peers)}")
    for model in arguments.models:
        folder = embedding_models.model_folder(model)
        contestants: dict[str, Contestant] = {"ours": Ours(folder, arguments.threads, arguments.dtype)}
        for peer in arguments.peers:
            try:
                contestants[peer] = PEERS[peer](folder, arguments.threads)
            except Exception as error:  # an export fails in many ways; the table goes on without it
                print(f"{model}: no {peer}: {error}", file=sys.stderr)
        for shape in arguments.shapes:
            n_texts, n_tokens = map(int, shape.split("x"))
            medians = compare(contestants, n_texts, n_tokens, arguments.rounds)
            ours = medians["ours"]
            cells = [
                f"{milliseconds(medians[p])} | {ours / medians[p]:.2f}" if p in medians else "- | -"
                for p in arguments.peers
            ]
            print(f"| {model} | {shape} | {milliseconds(ours)} | {' | '.join(cells)} |", flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
