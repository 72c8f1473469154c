"""Whatever goes wrong ends in one clear line and its exit code, and everything else is saved.

The real command in real processes: workers are killed, stopped, starved of memory and interrupted as they would be in use. Arms
with `@` are the numpy arm in an environment that misbehaves.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy
import psutil
import pytest

import harness as api
from harness.errors import HarnessError
from harness.interface import errors
from harness.records.store import read_record
from tests.conftest import heed_interrupts

ROOT = Path(__file__).parents[1]
Found = TypeVar("Found")
Command = Callable[..., "subprocess.CompletedProcess[str]"]
FRAMEWORKS = ("torch", "functorch", "tensorflow", "keras", "jax", "optax", "flax")
needs_posix = pytest.mark.skipif(os.name == "nt", reason="signals and shell scripts")
pytestmark = needs_posix

TINY = """
name = "tiny"
data = { type = "line", rows = 16 }
model.layers = [{ type = "dense", units = 1 }]
[train]
loss = "mse"
optimizer = { type = "sgd", learning_rate = 0.1 }
steps = 4
"""
#: 3 million parameters: more memory than numpy@small has
LARGE = """
name = "large"
data = { type = "line", rows = 4 }
model.layers = [{ type = "dense", units = 1700 }, { type = "dense", units = 1700 }, { type = "dense", units = 1 }]
[train]
loss = "mse"
optimizer = { type = "sgd", learning_rate = 0.01 }
steps = 1
"""
#: an import of numpy that takes $SECONDS, as on a file system that hangs; the worker is already listening
SLOW = """
import os, sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            time.sleep(float(os.environ["SECONDS"]))
sys.meta_path.insert(0, Slow())
"""
#: print wherever they can, at the start and at the end: lines, half lines, bytes that are no text, and what looks like answers
NOISY_SHELL = r"""#!/bin/sh
printf 'junk \377\376 of the shell\n\036half a line'
echo a warning >&2
exec PYTHON "$@"
"""
NOISY = """
import atexit, os
print("junk of sitecustomize")
os.write(1, b"junk \\xff\\xfe\\x00 \\x1e{broken \\x1e[1] \\x1e5\\nhalf a line of junk")
atexit.register(lambda: os.write(1, b"junk at the end"))
"""
#: what numpy and Python have taken so far, and 24 MiB more
SMALL = """
import resource, numpy
numpy.ones((64, 64)) @ numpy.ones((64, 64))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20),) * 2)
"""


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables under which the environments that misbehave are known."""
    folder = tmp_path_factory.mktemp("environments")

    def environment(name: str, script: str = "", site: str = "", **variables: str) -> None:
        python = Path(sys.executable)
        if script:
            python = folder / f"{name}.sh"
            python.write_bytes(script.replace("PYTHON", sys.executable).encode())
            python.chmod(0o755)
        if site:
            (folder / name).mkdir()
            (folder / name / "sitecustomize.py").write_text(site)
            variables["PYTHONPATH"] = str(folder / name)
        lines = [f'python = "{python}"', "[variables]", *(f'{key} = "{value}"' for key, value in variables.items())]
        (folder / f"{name}.toml").write_text("\n".join(lines))

    environment("same")
    environment("silent", "#!/bin/sh\nexec sleep 600\n")
    environment("slow", site=SLOW, SECONDS="600")
    environment("slower", site=SLOW, SECONDS="4")
    environment("leaky", '#!/bin/sh\nsleep 600 &\nexec PYTHON "$@"\n', SLOW, SECONDS="600")
    environment("small", site=SMALL, MALLOC_ARENA_MAX="1", MALLOC_TOP_PAD_="131072", MALLOC_MMAP_THRESHOLD_="131072")
    environment("noisy", NOISY_SHELL, NOISY)
    (folder / "gone.toml").write_text('python = "/nowhere/python"')
    (folder / "wrong.toml").write_text('pyhton = "/usr/bin/python3"')
    (folder / "broken.toml").write_text("python = ")
    return {"HARNESS_ENVIRONMENTS": str(folder)}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """An experiment of four steps on a line."""
    return experiment(tmp_path, TINY)


def experiment(folder: Path, text: str) -> Path:
    """An experiment file in a folder."""
    path = folder / "experiment.toml"
    path.write_text(text)
    return path


@pytest.fixture
def start(tmp_path: Path, misbehaving: dict[str, str]) -> Iterator[Callable[..., Started]]:
    """Start the real command and go on: `start("run", ...)`. Whatever is left at the end is ended."""
    all_started: list[Started] = []

    def started(*words: Any) -> Started:
        all_started.append(Started(tmp_path / f"started-{len(all_started)}", [str(word) for word in words], misbehaving))
        return all_started[-1]

    yield started
    for one in all_started:
        one.end()


class Started:
    """The command while it runs, in a process group of its own; what it prints goes to files."""

    def __init__(self, folder: Path, words: list[str], variables: dict[str, str]) -> None:
        folder.mkdir()
        self.out, self.err = folder / "out", folder / "err"
        self.seen: set[psutil.Process] = set()
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "harness", *words], stdout=out, stderr=err, cwd=ROOT, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
                preexec_fn=heed_interrupts,  # noqa: PLW1509 - it takes no lock
            )  # fmt: skip

    @property
    def stdout(self) -> str:
        """What it printed on stdout so far."""
        return self.out.read_text("utf-8")

    @property
    def stderr(self) -> str:
        """What it printed on stderr so far."""
        return self.err.read_text("utf-8")

    def children(self) -> set[psutil.Process]:
        """Everything it started that is there now."""
        try:
            found = set(psutil.Process(self.popen.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            found = set()
        self.seen |= found
        return found

    def worker(self, fits: Callable[[psutil.Process], bool]) -> psutil.Process:
        """The first of its workers that fits, as soon as there is one."""

        def look() -> list[psutil.Process]:
            assert self.popen.poll() is None, f"it ended: {self.stderr}"
            return [child for child in self.children() if is_worker(child) and answers(fits, child)]

        return until(look)[0]

    def wait(self) -> int:
        """Its exit code; its workers have to be gone with it."""
        until(lambda: self.children() is not None and self.popen.poll() is not None)
        assert not self.left(), "a worker outlived the command"
        return self.popen.returncode

    def left(self) -> list[psutil.Process]:
        """What it started and is still there."""
        return [child for child in self.seen if answers(lambda process: process.status() != psutil.STATUS_ZOMBIE, child)]

    def end(self) -> None:
        """End it and all that it started."""
        self.children()
        self.popen.kill()
        self.popen.wait()
        for child in self.left():
            child.kill()


def answers(question: Callable[[psutil.Process], bool], process: psutil.Process) -> bool:
    """A question about a process that may be gone."""
    try:
        return question(process)
    except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
        return False


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is a worker (or the script that became one)."""
    return answers(lambda child: "harness.worker" in child.cmdline() or child.name() == "sleep", process)


def maps(library: str) -> Callable[[psutil.Process], bool]:
    """Whether a process has a library in memory."""
    return lambda process: any(library in region.path for region in process.memory_maps())


def has(name: str) -> Callable[[psutil.Process], bool]:
    """Whether a process was started with a variable."""
    return lambda process: name in process.environ()


def until(condition: Callable[[], Found], seconds: float = 120, pause: float = 0.01) -> Found:
    """What a condition says as soon as it says something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s")


def runs(results: Path) -> list[Path]:
    """The folders of all runs."""
    return sorted((results / "runs").glob("*"))


def only_run(results: Path) -> Path:
    """The folder of the one run."""
    (folder,) = runs(results)
    return folder


def rows(folder: Path) -> dict[str, tuple[str, str]]:
    """Status and reason of each arm that was saved, the reference's own left out."""
    found = [json.loads(path.read_text()) for path in folder.glob("arms/*/record.json")]
    return {record["arm"]: (record["status"], record["reason"]) for record in found if not record["arm"].startswith("reference")}


def statuses(folder: Path) -> dict[str, str]:
    """Status of each arm that was saved."""
    return {arm: status for arm, (status, _) in rows(folder).items()}


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def clean(stderr: str) -> list[str]:
    """The lines of stderr, where there is no traceback and no bug among them."""
    assert "Traceback" not in stderr
    assert "bug in harness" not in stderr
    return stderr.splitlines()


def one_message(stderr: str) -> str:
    """The message, where stderr holds one line and at most a hint below it."""
    lines = [line for line in clean(stderr) if line]
    assert len([line for line in lines if not line.startswith("  ")]) == 1, stderr
    assert len(lines) <= 2, stderr
    return stderr.strip()


# a framework that is not installed


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command in an installation like this one, without any framework."""
    folder = tmp_path_factory.mktemp("base")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for entry in Path(numpy.__file__).parents[1].iterdir():
        if not entry.name.startswith(FRAMEWORKS) and entry.name != "__pycache__":
            (site / entry.name).symlink_to(entry)

    def command(*words: Any) -> subprocess.CompletedProcess[str]:
        line = [str(folder / "bin" / "python"), "-m", "harness", *map(str, words)]
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=variables, check=False)

    return command


def test_an_experiment_runs_on_numpy_alone(base: Command, tmp_path: Path) -> None:
    """Missing frameworks that only the experiment's own list names are rows, told in one line with what gets them; exit 0."""
    done = base("run", "experiments/xor.toml", "-q", "--no-timings", "--results", tmp_path)
    assert done.returncode == 0
    (line,) = [line for line in clean(done.stderr) if "not installed" in line]
    for extra in ("torch", "keras", "tensorflow", "jax"):
        assert f"pip install -e '.[{extra}]'" in line
    wanted = {"numpy": "ok", "torch": "missing", "keras": "missing", "tensorflow": "missing", "jax": "missing"}
    assert statuses(only_run(tmp_path)) == wanted


def test_a_missing_framework_that_was_asked_for_is_a_failure(base: Command, tiny: Path, tmp_path: Path) -> None:
    """`--arm torch` where torch is missing: exit 3, and the other arm is saved."""
    done = base("run", tiny, "-q", "--no-timings", "--arm", "torch,numpy", "--results", tmp_path)
    assert done.returncode == 3
    clean(done.stderr)
    assert rows(only_run(tmp_path)) == {
        "numpy": ("ok", ""), "torch": ("missing", "torch is not installed: pip install -e '.[torch]'"),
    }  # fmt: skip


def test_doctor_and_list_say_what_is_missing(base: Command) -> None:
    """Both name every arm that cannot run here; doctor says how to get it, and that is no failure."""
    doctor, arms = base("doctor", "--json"), base("list", "arms", "--json")
    assert (doctor.returncode, arms.returncode) == (0, 0)
    states = {row["arm"]: row["state"] for row in json.loads(doctor.stdout)["arms"]}
    here = {row["arm"]: row["here"] for row in json.loads(arms.stdout)["arms"]}
    assert states.keys() == here.keys()
    for arm in ("numpy", "sklearn"):
        assert states.pop(arm) == "ready"
        assert here.pop(arm) == "yes"
    for arm, state in states.items():
        apart = here[arm] == f"no: env create {arm}"
        assert f"env create {arm}" in state if apart else " installed: pip install -e '.[" in state, arm
        assert here[arm].startswith("no: "), arm
    assert [arm for arm in here if here[arm].startswith("no: env create")] == [
        "autograd", "caffe2", "chainer", "flax", "mlx", "mxnet", "paddle", "pytensor", "tinygrad",
    ]  # fmt: skip


# workers that die, hang or starve


def test_a_killed_worker_is_a_row(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """SIGKILL of one worker in the middle of a run: exit 3, its row says so, the other arms are saved."""
    running = start("run", tiny, "--no-timings", "--arm", "torch,numpy", "--set", "train.steps=2000", "--results", tmp_path)
    running.worker(maps("libtorch_cpu")).kill()
    assert running.wait() == 3
    clean(running.stderr)
    found = rows(only_run(tmp_path))
    assert found["numpy"] == ("ok", "")
    assert found["torch"] == ("killed", "ended by signal 9 (SIGKILL): by hand, or the system ran out of memory")
    assert not manifest(only_run(tmp_path))["interrupted"]
    assert "torch (killed)" in running.stdout


def test_a_killed_worker_is_noticed_behind_its_children(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """What a worker started may keep its pipe open: its death is noticed all the same, long before the time limit, and nothing of
    it is left."""
    running = start("run", tiny, "--no-timings", "--arm", "numpy,numpy@leaky", "--results", tmp_path)
    running.worker(lambda process: process.name() == "sleep")
    running.worker(lambda process: has("SECONDS")(process) and os.getpgid(process.pid) == process.pid).kill()
    assert running.wait() == 3
    assert statuses(only_run(tmp_path)) == {"numpy": "ok", "numpy@leaky": "killed"}


def test_a_worker_killed_while_it_is_timed_keeps_its_numbers(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """Its row says that it was timed; its losses and the others' times are saved."""
    running = start("run", tiny, "--arm", "numpy,numpy@slower", "--results", tmp_path)
    until(lambda: running.stderr.count("agrees") == 2)
    running.worker(has("SECONDS")).kill()
    assert running.wait() == 3
    folder = only_run(tmp_path)
    assert statuses(folder) == {"numpy": "ok", "numpy@slower": "killed"}
    assert rows(folder)["numpy@slower"][1].startswith("while it was timed: ")
    killed, other = (read_record(folder / "arms" / arm) for arm in ("numpy@slower", "numpy"))
    assert killed.losses == other.losses
    assert other.blocks


def test_a_killed_reference_is_said(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """Without a reference no arm can be judged: each says so, and it is no bug of ours."""
    running = start("run", tiny, "--no-timings", "--arm", "numpy@slower", "--results", tmp_path)
    running.worker(lambda process: not has("SECONDS")(process)).kill()
    assert running.wait() == 3
    clean(running.stderr)
    status, reason = rows(only_run(tmp_path))["numpy@slower"]
    assert status != "ok"
    assert "reference" in reason
    assert manifest(only_run(tmp_path))


def test_a_hanging_worker_is_ended_at_its_time_limit(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """A worker that stops and one that never answered: both time out, nothing of them is left, the other arm is saved; exit 3."""
    arms = "numpy,numpy@silent,numpy@slow"
    running = start("run", tiny, "--no-timings", "--arm", arms, "--set", "compare.time_limit=6", "--results", tmp_path)
    running.worker(has("SECONDS")).suspend()
    assert running.wait() == 3
    clean(running.stderr)
    found = rows(only_run(tmp_path))
    assert found.pop("numpy") == ("ok", "")
    assert set(found.values()) == {("timed out", "no answer to 'open' within 6 s")}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are counted in /proc")
def test_a_worker_without_memory_is_a_row(harness: Command, misbehaving: dict[str, str], tmp_path: Path) -> None:
    """A worker whose memory does not suffice says so; exit 3, the other arm is saved."""
    path = experiment(tmp_path, LARGE)
    done = harness("run", path, "-q", "--no-timings", "--arm", "numpy,numpy@small", "--results", tmp_path, env=misbehaving)
    assert done.returncode == 3, done.stderr
    clean(done.stderr)
    assert statuses(only_run(tmp_path)) == {"numpy": "ok", "numpy@small": "out of memory"}


def test_a_model_beyond_the_machine_is_an_error_of_its_file(harness: Command, tmp_path: Path) -> None:
    """Parameters that cannot fit are found before anything runs, with their place; exit 2."""
    path = experiment(tmp_path, LARGE.replace("1700", "300000"))
    done = harness("run", path, "--results", tmp_path / "results")
    assert done.returncode == 2
    clean(done.stderr)
    assert f"{path}:4:" in done.stderr
    assert "GiB" in done.stderr
    assert not (tmp_path / "results").exists()


def test_masks_beyond_the_memory_are_an_error(harness: Command, tmp_path: Path) -> None:
    """Masks are drawn for the whole run: where they cannot be had, one line says so, exit 2, and no empty run is left."""
    text = TINY.replace("units = 1 }", "units = 100000 }, { type = 'dropout', rate = 0.5 }, { type = 'dense', units = 1 }")
    path = experiment(tmp_path, text.replace("steps = 4", "steps = 1000000000"))
    done = harness("run", path, "--arm", "numpy", "--results", tmp_path / "results")
    assert done.returncode == 2, done.stderr
    clean(done.stderr)
    assert runs(tmp_path / "results") == []


def test_rubbish_on_stdout_changes_nothing(harness: Command, misbehaving: dict[str, str], tiny: Path, tmp_path: Path) -> None:
    """Whatever a worker's environment prints: the result is the same, nothing of it reaches the command's own output, and what
    went to stderr is in the arm's log."""
    done = harness("run", tiny, "--arm", "numpy,numpy@noisy", "--results", tmp_path, env=misbehaving)
    assert done.returncode == 0
    assert "junk" not in done.stdout + done.stderr
    assert "a warning" not in done.stdout + done.stderr
    noisy, quiet = (read_record(only_run(tmp_path) / "arms" / arm) for arm in ("numpy@noisy", "numpy"))
    assert noisy.losses == quiet.losses
    assert noisy.blocks
    assert "a warning" in (only_run(tmp_path) / "arms" / "numpy@noisy" / "log.txt").read_text()


def test_a_loss_that_is_not_finite_ends_its_arm(harness: Command, tiny: Path, tmp_path: Path) -> None:
    """An absurd learning rate: the rows say `diverged` and from which step on, exit 3, and the run goes on to its end."""
    changes = ("--set", "train.optimizer.learning_rate=1e30", "--set", "train.steps=30")
    done = harness("run", tiny, "--no-timings", "--arm", "numpy,torch", *changes, "--results", tmp_path)
    assert done.returncode == 3
    clean(done.stderr)
    assert rows(only_run(tmp_path)) == dict.fromkeys(("numpy", "torch"), ("diverged", "the loss is not finite from step 1 on"))
    assert "diverged" in done.stdout
    assert manifest(only_run(tmp_path))["arms"][:2] == ["numpy", "torch"]


@pytest.mark.filterwarnings("error")
def test_errors_of_what_is_not_finite_warn_nobody() -> None:
    """A diverged arm held against a diverged reference prints no warning of numpy's on the user's screen."""
    tensor = numpy.array([numpy.inf, 1.0])
    assert errors({"loss": tensor}, {"loss": tensor}) == {"loss": 0.0}


def test_a_missing_interpreter_is_a_row(harness: Command, misbehaving: dict[str, str], tiny: Path, tmp_path: Path) -> None:
    """An environment whose interpreter is not there: its row is `missing`, exit 3 as it was asked for, the other arm is saved;
    `--json` says the same."""
    done = harness("run", tiny, "--no-timings", "--json", "--arm", "numpy,numpy@gone", "--results", tmp_path, env=misbehaving)
    assert done.returncode == 3
    clean(done.stderr)
    wanted = {"numpy": ("ok", ""), "numpy@gone": ("missing", "environment gone: no interpreter at /nowhere/python")}
    assert rows(only_run(tmp_path)) == wanted
    assert {arm["arm"]: (arm["status"], arm["reason"]) for arm in json.loads(done.stdout)["arms"]} == wanted


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("numpy@smal", 'did you mean "small"?'), ("numpy@wrong", 'unknown key "pyhton"'), ("numpy@broken", "broken.toml"),
        ("nunpy", 'did you mean "numpy"?'), ("numpy:compile", "no mode"), ("numpy@", "is no arm"),
    ],
)  # fmt: skip
def test_a_wrong_arm_runs_nothing(
    harness: Command, misbehaving: dict[str, str], tiny: Path, tmp_path: Path, arm: str, words: str
) -> None:
    """An unknown environment, a wrong one, an unknown backend or mode: one message that says what may have been meant, exit 2."""
    done = harness("run", tiny, "--arm", f"numpy,{arm}", "--results", tmp_path / "results", env=misbehaving)
    assert done.returncode == 2
    assert words in one_message(done.stderr)
    assert not (tmp_path / "results").exists()


# places where nothing can be written


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    for sudo in ([], ["sudo", "-n"]):
        if not shutil.which((*sudo, "mount")[0]):
            continue
        mount = [*sudo, "mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
            yield folder
            subprocess.run([*sudo, "umount", "--lazy", str(folder)], check=True)
            return
    pytest.skip("no small disk can be mounted here")


def test_a_full_disk_loses_nothing_that_is_shown(harness: Command, tiny: Path, disk: Path) -> None:
    """The tables are shown all the same, one line says that they are not saved and why, exit 3; what was saved can be read."""
    done = harness("run", tiny, "--no-timings", "--arm", "numpy", "--results", disk)
    assert done.returncode == 3
    (line,) = [line for line in clean(done.stderr) if "not saved" in line]
    assert "No space left on device" in line
    assert "| numpy" in done.stdout
    assert not (only_run(disk) / "manifest.json").exists()
    shown = harness("compare", "--results", disk)
    clean(shown.stderr)
    assert "did not end" in shown.stdout


def test_a_disk_that_is_full_already_runs_nothing(harness: Command, tiny: Path, disk: Path) -> None:
    """Nothing is run where nothing can be saved: one message, exit 2, and no empty run is left."""
    with (disk / "filler").open("wb") as filler, pytest.raises(OSError, match="No space"):
        filler.write(bytes(1 << 20))
    done = harness("run", tiny, "--results", disk)
    assert done.returncode == 2
    assert "--results" in one_message(done.stderr)
    assert runs(disk) == []


def test_temporary_files_that_cannot_be_written_run_nothing(harness: Command, tiny: Path, disk: Path, tmp_path: Path) -> None:
    """A full folder for temporary files: one message that names TMPDIR, exit 2, and no empty run is left."""
    done = harness("run", tiny, "--set", "train.steps=20000", "--results", tmp_path, env={"TMPDIR": str(disk)})
    assert done.returncode == 2, done.stderr
    assert "TMPDIR" in one_message(done.stderr)
    assert runs(tmp_path) == []


@pytest.mark.parametrize("place", ["/proc/results", "file/results"])
def test_impossible_results_run_nothing(harness: Command, tiny: Path, tmp_path: Path, place: str) -> None:
    """A folder that cannot be made: one message whose hint is `--results`, exit 2."""
    if place.startswith("/proc") and not Path("/proc").is_dir():
        pytest.skip("no /proc here")
    (tmp_path / "file").write_text("")
    done = harness("run", tiny, "--results", tmp_path / place)
    assert done.returncode == 2
    assert "--results FOLDER" in one_message(done.stderr)


# interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_has_ended(start: Callable[..., Started], tiny: Path, tmp_path: Path, number: int) -> None:
    """Ctrl-C, or an order to end, while arms are compared: exit 130, arms that ended are saved, the others say that they were
    interrupted, no worker is left."""
    running = start("run", tiny, "--arm", "numpy,numpy@slow,numpy@silent,numpy@leaky", "--results", tmp_path)
    until(lambda: "numpy: agrees" in running.stderr)
    running.worker(has("SECONDS"))
    running.popen.send_signal(number)
    assert running.wait() == 130
    clean(running.stderr)
    folder = only_run(tmp_path)
    waiting = dict.fromkeys(("numpy@slow", "numpy@silent", "numpy@leaky"), ("interrupted", "the run was interrupted"))
    assert rows(folder) == {"numpy": ("ok", ""), **waiting}
    assert manifest(folder)["interrupted"]
    assert "| numpy@slow" in running.stdout


def test_more_interrupts_lose_nothing(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """Ctrl-C again and again while that is being saved: all of it is saved all the same."""
    running = start("run", tiny, "--arm", "numpy,numpy@slow,numpy@silent", "--results", tmp_path)
    until(lambda: "numpy: agrees" in running.stderr)

    def impatient() -> list[Path]:
        running.popen.send_signal(signal.SIGINT)
        return list(tmp_path.glob("runs/*/manifest.json"))

    until(impatient, seconds=30, pause=0)
    assert running.wait() == 130
    clean(running.stderr)
    assert statuses(only_run(tmp_path)) == {"numpy": "ok", "numpy@slow": "interrupted", "numpy@silent": "interrupted"}
    assert manifest(only_run(tmp_path))["interrupted"]


def test_an_interrupt_while_arms_are_timed_keeps_the_numbers(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """Ctrl-C in the timing lane: exit 130, both arms' numbers are saved, and it is said."""
    running = start("run", tiny, "--arm", "numpy,numpy@same", "--results", tmp_path)
    until(lambda: running.stderr.count("agrees") == 2)
    running.worker(lambda _: True).suspend()
    running.popen.send_signal(signal.SIGINT)
    assert running.wait() == 130
    clean(running.stderr)
    folder = only_run(tmp_path)
    assert statuses(folder) == {"numpy": "ok", "numpy@same": "ok"}
    assert manifest(folder)["interrupted"]
    assert "interrupted" in running.stdout
    assert len(read_record(folder / "arms" / "numpy").losses) == 4


def test_an_interrupt_before_the_first_arm_leaves_nothing(start: Callable[..., Started], tmp_path: Path) -> None:
    """Ctrl-C while the data are laid out: exit 130, one line, and no empty run is left."""
    path = experiment(tmp_path, LARGE.replace("1700", "5000"))
    running = start("run", path, "--arm", "numpy", "--results", tmp_path)
    until(lambda: list(tmp_path.glob("runs/*/environment.json")))
    running.popen.send_signal(signal.SIGINT)
    assert running.wait() == 130
    assert one_message(running.stderr).startswith("interrupted")
    assert runs(tmp_path) == []


def test_workers_end_with_the_command(start: Callable[..., Started], harness: Command, tiny: Path, tmp_path: Path) -> None:
    """SIGKILL of the command: its workers end by themselves within seconds, though they are busy; the run is listed as incomplete
    and what it saved is shown."""
    running = start("run", tiny, "--arm", "numpy,numpy@slow", "--results", tmp_path)
    until(lambda: list(tmp_path.glob("runs/*/arms/numpy/record.json")))
    running.worker(has("SECONDS"))
    running.popen.kill()
    running.popen.wait()
    until(lambda: not running.left(), seconds=5)
    folder = only_run(tmp_path)
    assert statuses(folder) == {"numpy": "ok"}
    (listed,) = json.loads(harness("list", "runs", "--json", "--results", tmp_path).stdout)["runs"]
    assert listed["state"] == "incomplete"
    shown = harness("compare", folder.name, "--results", tmp_path)
    assert shown.returncode == 0
    assert clean(shown.stderr) == []
    assert "did not end" in shown.stdout
    assert "agrees" in shown.stdout


# several runs, damaged runs


def test_two_runs_at_once_do_not_meet(start: Callable[..., Started], tiny: Path, tmp_path: Path) -> None:
    """Two runs in one folder: both end well, in folders of their own, and the later says that it was not alone."""
    first = start("run", tiny, "--no-timings", "--arm", "numpy,numpy@slower", "--results", tmp_path)
    (early,) = until(lambda: list(tmp_path.glob("runs/*/running.json")))
    second = start("run", tiny, "--no-timings", "--arm", "numpy", "--results", tmp_path)
    assert (second.wait(), first.wait()) == (0, 0)
    assert len(runs(tmp_path)) == 2
    assert early.parent.name in second.stdout
    assert "another run is in progress" in second.stdout
    assert "another run" not in first.stdout
    assert not list(tmp_path.glob("runs/*/running.json"))


@pytest.fixture(scope="session")
def saved(harness: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with one run in them."""
    folder = tmp_path_factory.mktemp("saved")
    done = harness("run", experiment(folder, TINY), "--no-timings", "--arm", "numpy", "--results", folder)
    assert done.returncode == 0
    return folder


DAMAGES = [
    ("arms/numpy/record.json", b'{"schema": "harness.rec'),
    ("arms/numpy/record.json", b"[]"),
    ("arms/numpy/record.json", b"\xff\x00"),
    ("arms/numpy/record.json", b"{}"),
    ("arms/numpy/losses.parquet", b"PAR1 and no more"),
    ("arms/numpy/agreement.parquet", b""),
    ("manifest.json", b"{"),
    ("manifest.json", b"[]"),
    ("manifest.json", b'{"schema": "other/1"}'),
]


@pytest.mark.parametrize(("name", "content"), DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_file_is_named(harness: Command, saved: Path, tmp_path: Path, name: str, content: bytes) -> None:
    """Half a file, an empty one, something else: one line that names it, exit 2; `harness.load` raises the same."""
    shutil.copytree(saved / "runs", tmp_path / "runs")
    folder = only_run(tmp_path)
    (folder / name).write_bytes(content)
    done = harness("compare", "--results", tmp_path)
    assert done.returncode == 2
    assert Path(name).parts[0] in one_message(done.stderr)
    assert folder.name in done.stderr
    assert not done.stdout
    with pytest.raises(HarnessError, match="cannot read"):
        api.load("latest", tmp_path)


# the same from Python


def test_python_gets_rows_not_exceptions(misbehaving: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`harness.run` returns what ended and what failed; the exit code is a property."""
    monkeypatch.setenv("HARNESS_ENVIRONMENTS", misbehaving["HARNESS_ENVIRONMENTS"])
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    found = api.run(
        experiment(tmp_path, TINY), arms=["numpy", "numpy@gone", "numpy@silent"], changes=["compare.time_limit=6"],
        results=tmp_path, timing="none",
    )  # fmt: skip
    assert {record.arm: record.status for record in found.arms} == {
        "numpy": "ok", "numpy@gone": "missing", "numpy@silent": "timed out",
    }  # fmt: skip
    assert found.exit_code == 3
    assert set(found.losses["arm"]) == {"numpy", "reference"}
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    again = api.load("latest", tmp_path)
    assert again.summary.equals(found.summary)


def test_python_gets_an_exception_where_nothing_was_run(tmp_path: Path) -> None:
    """A wrong arm, and results that cannot be written, raise with the exit code that the command would have."""
    path = experiment(tmp_path, TINY)
    for options in ({"arms": ["nunpy"]}, {"results": path / "below"}):
        with pytest.raises(HarnessError) as raised:
            api.run(path, **options)  # type: ignore[arg-type]
        assert raised.value.exit_code == 2
