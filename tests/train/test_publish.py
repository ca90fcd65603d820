"""A model to the Hub on loopback and back: only what a model is goes, with its card, in one commit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crl_data.errors import InputError
from crl_train.publish import contents
from tests.hub.server import HubServer
from tests.publishing.conftest import USERS, environment
from tests.train.test_card import RUN

WEIGHTS = b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "  # an empty file of the safetensors format
PUSH = """
import json, sys
from pathlib import Path
from crl_train.publish import push_model
from tests.train.test_card import RUN
done = push_model(Path(sys.argv[1]), sys.argv[2], RUN)
print(json.dumps({"commit": done.commit, "states": done.states, "url": done.url}))
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What a trainer leaves in a folder, that which is not to go too."""
    folder = tmp_path / "model"
    (folder / "checkpoint-10").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "tokenizer.json").write_text("{}")
    for name in ("training_args.bin", "optimizer.pt", "trainer_state.json", "checkpoint-10/model.safetensors", ".env"):
        (folder / name).write_bytes(b"/home/somebody hf_secret")
    return folder


def push(hub: HubServer, model: Path, home: Path, repo: str = "me/critic") -> subprocess.CompletedProcess[str]:
    env = environment(hub, home) | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", PUSH, str(model), repo], capture_output=True, text=True, env=env)


def test_a_model_goes_with_its_card_in_one_commit_and_again_only_what_changed(model: Path, tmp_path: Path) -> None:
    with HubServer(users=USERS) as hub:
        done = push(hub, model, tmp_path, "critic")
        assert done.returncode == 0, done.stderr
        repo = hub.repos["model", "me/critic"]
        assert len(repo.commits) == 2
        assert repo.files.keys() == {
            ".gitattributes",
            *("README.md", "config.json", "crl_train.json", "model.safetensors", "tokenizer.json"),
        }
        card = repo.files["README.md"].read_text()
        assert 'pipeline("text-generation", "me/critic")' in card
        assert json.loads(repo.files["crl_train.json"].read_text())["run"]["arm"] == "hybrid"
        assert json.loads(push(hub, model, tmp_path).stdout)["commit"] is None
        (model / "model.safetensors").write_bytes(WEIGHTS + b" ")
        states = json.loads(push(hub, model, tmp_path).stdout)["states"]
        assert {name for name, state in states.items() if state == "changed"} == {"model.safetensors", "crl_train.json"}


def test_a_folder_without_a_model_is_told(model: Path) -> None:
    (model / "config.json").unlink()
    with pytest.raises(InputError, match=r"got no config\.json"):
        contents(model, "me/critic", RUN)
    (model / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        contents(model, "me/critic", RUN)


def test_a_path_of_the_machine_in_a_configuration_stops_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    (model / "config.json").write_text('{"_name_or_path": "/home/somebody/models/base"}')
    with pytest.raises(InputError, match=r"config\.json holds the home folder"):
        contents(model, "me/critic", RUN)


@pytest.mark.slow
def test_a_real_model_is_loaded_by_its_id(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra [train] is not installed: no model to save")
    settings = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 32}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8}
    made = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**settings, **heads))
    made.save_pretrained(tmp_path / "model")
    script = """
import sys, torch, transformers
there = transformers.AutoModelForCausalLM.from_pretrained("me/critic")
here = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1])
assert all(torch.equal(a, b) for a, b in zip(there.parameters(), here.parameters(), strict=True))
"""
    with HubServer(users=USERS) as hub:
        done = push(hub, tmp_path / "model", tmp_path)
        assert done.returncode == 0, done.stderr
        loaded = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "model")],
            capture_output=True,
            text=True,
            env=environment(hub, tmp_path, None),
        )
        assert loaded.returncode == 0, loaded.stderr
