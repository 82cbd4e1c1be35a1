"""The benchmark command as a process of its own, in a folder of its own."""

import json
import os
import subprocess
import sys

from servers.scripted import endpoint

SECRET = "sk-a-secret-that-must-not-show"


class Setting:
    """A folder with a configuration and queries, and the command on them."""

    def __init__(self, folder, server, n=6, *, models=("a", "b"), entry=None, **fields):
        self.folder, self.out = folder, folder / "out.jsonl"
        config = {
            "vllm_endpoints": [endpoint(server, api_key="${KEY}", **fields)],
            "model_config": {name: {"preferred_endpoints": ["one"], **(entry or {})} for name in models},
        }
        (folder / "c.yaml").write_text(json.dumps(config))
        lines = (json.dumps({"query": f"Question {i}?", "category": "math", "ground_truth": "4"}) for i in range(n))
        (folder / "q.jsonl").write_text("\n".join(lines))

    def command(self, *flags):
        files = ("--config", "c.yaml", "--data-file", "q.jsonl", "--output", "out.jsonl")
        return (
            sys.executable,
            "-c",
            "import sys; from vsr.__main__ import main; sys.exit(main())",
            "benchmark",
            *files,
            *flags,
        )

    def start(self, *flags, **options):
        environment = os.environ | {"KEY": SECRET, "COLUMNS": "120"}
        return subprocess.Popen(
            self.command("--rate-limit-delay", "0", *flags),
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *flags, code=0, **options):
        process = self.start(*flags, **options)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == code, stderr
        assert SECRET not in stdout + stderr
        return stdout, stderr

    def records(self):
        return [json.loads(line) for line in self.out.read_text().splitlines()]
