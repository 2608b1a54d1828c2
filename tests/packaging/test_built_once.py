"""A newcomer's first commands share what they build: features are the same for one package and for the whole workspace."""

import json
import subprocess

from chart import ROOT


def test_the_demo_compiles_nothing_after_the_tests_were_built():
    """`make test` has built the workspace before this runs."""
    command = ["cargo", "build", "--locked", "-p", "healctl", "--message-format=json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    assert ended.returncode == 0, ended.stderr
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    compiled = [one["target"]["name"] for one in messages if one["reason"] == "compiler-artifact" and not one["fresh"]]
    assert not compiled, f"built again, with other features than in the workspace: {compiled}"
