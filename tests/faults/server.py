"""Runs fkp again and again in children of one process that has imported much: see harness.py.

A request is a line of JSON on stdin: the words of a command, the folder to be in, and a file for
what it prints. The answer is a line with its exit code.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import sys
import threading

HEAVY = (
    "cv2", "av", "torch", "torch.optim", "matplotlib.pyplot", "joblib", "scipy.stats", "pandas",
    "pyarrow.parquet", "safetensors.torch", "rich.progress", "PIL.Image")  # fmt: skip
"""What commands import besides the modules of fkp."""


def load() -> None:
    """Import what commands need."""
    for name in HEAVY:
        importlib.import_module(name)
    import fkp

    for module in pkgutil.walk_packages(fkp.__path__, "fkp."):
        if not module.name.startswith(("fkp.bundled", "fkp.__main__")):
            importlib.import_module(module.name)
    gc.freeze()


def child(words: list[str], folder: str, said: str) -> None:
    """One command, as its own process group."""
    os.setsid()
    os.chdir(folder)
    number = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, number), (2, number)):
        os.dup2(source, target)
    from fkp.annotate.video import run
    from fkp.cli.main import main

    run.PART = 16  # so that a short clip has several parts
    sys.argv = ["fkp", *words]
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    # As Python ends, without tearing down all modules, which takes a second.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def serve() -> None:
    """Answer requests until stdin ends."""
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(request["words"], request["folder"], request["said"])
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"code": code}), flush=True)


if __name__ == "__main__":
    load()
    serve()
