"""Every notebook runs, and its stored output is what it shows when it runs."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
SECONDS = 120

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def shown(output):
    """What of an output is the same on every machine: mathematics word for word, of all else only its kind."""
    words = {"text/latex", "text/markdown"}
    data = output.get("data", {})
    return output["output_type"], {kind: "".join(data[kind]) if kind in words else "" for kind in data}


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@each_notebook
def test_output_is_stored(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert [cell["execution_count"] for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    kinds = {kind for cell in code_cells(notebook) for output in cell["outputs"] for kind in output.get("data", {})}
    assert {"text/latex", "text/markdown", "image/png"} <= kinds
    assert not [output for cell in code_cells(notebook) for output in cell["outputs"] if "ename" in output]


@each_notebook
def test_nothing_of_the_machine_is_stored(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert not any(cell["metadata"] for cell in notebook["cells"]), "times, tags and the like do not belong here"
    assert str(path.parent.parent) not in path.read_text("utf-8")


@each_notebook
@pytest.mark.needs("nbformat", "nbclient", "ipykernel", "matplotlib")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_runs_and_shows_what_is_stored(path):
    import nbformat
    from nbclient import NotebookClient

    stored = nbformat.read(path, as_version=4)
    ran = nbformat.from_dict(json.loads(json.dumps(stored)))
    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(ran, timeout=SECONDS, kernel_name="python3", resources=where, coalesce_streams=True)
    client.execute()  # raises where a cell does
    for number, (old, new) in enumerate(zip(code_cells(stored), code_cells(ran), strict=True), start=1):
        assert [shown(output) for output in old["outputs"]] == [shown(output) for output in new["outputs"]], (
            f"In [{number}] shows something else than what is stored: run `make notebooks`"
        )
