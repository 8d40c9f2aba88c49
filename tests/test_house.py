"""Imports between rooms follow CONTRIBUTING's map, and there are no circles."""

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What a room may import, besides itself and the modules that all share.
MAY_IMPORT = {
    "predict": set(),
    "server": set(),
    "study": {"predict"},
    "training": {"predict"},
    "evaluation": {"predict", "training"},
    "model_card": {"predict"},
    "commands": {"predict", "server", "study", "training", "evaluation", "model_card"},
    "views": {"predict", "server", "study", "model_card"},
    "pages": {"predict", "server", "study", "model_card", "views"},
}
SHARED_BY_ALL = {"diseases", "vocabulary", "file_paths", "intervals", "settings", "wordings", "skin_ai"}
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted([*(ROOT / "skin_ai").rglob("*.py"), ROOT / "app.py", ROOT / "navigation.py"])
    if "migrations" not in path.parts
}


def imported(path: Path) -> set[str]:
    """Every module of ours that a file imports, at its top, within a function, or for types only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else node.module for name in names}
    return found


def room(module: str) -> str:
    parts = module.split(".")
    if parts[0] in ("app", "navigation"):
        return "pages"
    if parts[0] == "skin_ai":
        return {"__main__": "commands"}.get(parts[1], parts[1]) if len(parts) > 1 else "skin_ai"
    return parts[0]


@pytest.mark.parametrize("module", FILES)
def test_arrows_between_rooms_run_downwards(module: str) -> None:
    here = room(module)
    allowed = {here} | SHARED_BY_ALL | MAY_IMPORT.get(here, set())
    ours = {found for found in imported(FILES[module]) if found in FILES}
    assert not {found for found in ours if room(found) not in allowed}


@pytest.mark.parametrize("module", FILES)
def test_only_views_and_pages_import_streamlit(module: str) -> None:
    if room(module) not in ("views", "pages"):
        assert not {found for found in imported(FILES[module]) if found.split(".")[0] == "streamlit"}


def test_no_module_imports_in_a_circle() -> None:
    packages = {module for module, path in FILES.items() if path.name == "__init__.py"}
    graph = {module: (imported(path) & FILES.keys()) - packages for module, path in FILES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle


def test_threads_do_not_spin_while_they_wait() -> None:
    """Whatever of ours is imported first, torch finds the setting; an operator's own choice stays."""
    ask = "import skin_ai.predict.chain, os; print(os.environ['OMP_WAIT_POLICY'])"
    for own, expected in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        environment |= {} if own is None else {"OMP_WAIT_POLICY": own}
        done = subprocess.run(
            [sys.executable, "-c", ask], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected
