"""The control plane starts and ends whole, and says in one line what it cannot do."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

PROGRAM = os.environ["KUBEHEAL_CONTROLPLANE"]
KUBECTL = os.environ["KUBEHEAL_KUBECTL"]
PATIENCE = 60


def refused(*arguments):
    """The one line that it says instead."""
    ran = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 1, ran
    (line,) = ran.stderr.splitlines()
    return line


def parts_of(folder):
    """Processes that work in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if any(str(folder).encode() in argument for argument in arguments) and arguments[0].decode() == PROGRAM:
            found.append((int(process.parent.name), arguments[1].decode()))
    return found


def eventually(check):
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(("arguments", "said"), [
    ([], "which part is wanted is missing"),
    (["kubelet"], 'there is no part "kubelet": write one of etcd, kube-apiserver'),
    (["run", "--folder=/proc/nowhere"], "make the folder /proc/nowhere"),
    (["run", "--port=99999"], "port 99999 cannot be used"),
])
def test_what_it_cannot_do_is_one_line(arguments, said):
    assert said in refused(*arguments)


def test_a_port_that_is_taken_is_named_and_nothing_is_started(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} cannot be used" in refused("run", f"--port={port}", f"--folder={tmp_path}")
    assert parts_of(tmp_path) == []


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    assert "is not empty (mine is there)" in refused("run", f"--folder={tmp_path}")
    assert (tmp_path / "mine").read_text() == "precious"


def test_it_serves_as_what_it_is_and_ends_with_its_parent(tmp_path):
    # Killed so that it can tell nobody, as a CI job is.
    command = f"import subprocess; subprocess.run([{PROGRAM!r}, 'run', '--folder={tmp_path}'])"
    parent = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == f"export KUBECONFIG={tmp_path}/kubeconfig\n"
    kubeconfig = tmp_path / "kubeconfig"
    assert kubeconfig.stat().st_mode & 0o077 == 0, "only its owner reads an admin's token"
    ran = subprocess.run([KUBECTL, "--kubeconfig", kubeconfig, "version", "-o", "yaml"], capture_output=True, text=True)
    server = yaml.safe_load(ran.stdout)["serverVersion"]
    assert server["gitVersion"].startswith(f"v{server['major']}.{server['minor']}."), server
    ran = subprocess.run([KUBECTL, "--kubeconfig", kubeconfig, "--user=limited", "get", "pods"], capture_output=True, text=True)
    assert 'User "limited" cannot list resource "pods"' in ran.stderr, "there is a user who may do nothing"
    assert {part for _, part in parts_of(tmp_path)} >= {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    parent.kill()
    eventually(lambda: parts_of(tmp_path) == [])


def test_a_part_that_ends_by_itself_ends_all_with_the_last_line_of_its_log(tmp_path):
    running = subprocess.Popen([PROGRAM, "run", f"--folder={tmp_path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running.stdout.readline()
    (scheduler,) = [number for number, part in parts_of(tmp_path) if part == "kube-scheduler"]
    os.kill(scheduler, signal.SIGKILL)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 1
    assert said.startswith("controlplane: kube-scheduler ended by itself (signal: killed); its log ends with: "), said
    assert len(said.splitlines()) == 1
    assert parts_of(tmp_path) == []


@pytest.mark.parametrize(("command", "code"), [(["true"], 0), (["sh", "-c", 'test -s "$KUBECONFIG"'], 0), (["sh", "-c", "exit 7"], 7)])
def test_a_command_ends_it_and_its_code_is_the_commands(command, code, tmp_path):
    ran = subprocess.run([PROGRAM, "run", f"--folder={tmp_path}", "--", *command], timeout=2 * PATIENCE, check=False)
    assert ran.returncode == code
    assert parts_of(tmp_path) == []
