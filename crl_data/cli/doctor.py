"""`crl-data doctor`: what this machine offers, each wall and limit really tried."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from crl_data.errors import SandboxUnavailable
from crl_data.judging.judge import processors
from crl_data.sandbox import Sandbox, checks
from crl_data.sandbox.local import REQUIRED_WALLS, SCRATCH_MB, open_sandbox, open_weak

LIBRARIES = ("numpy",)  # what a recipe names by default
IN_IMAGE = (*LIBRARIES, "pytest")  # test modules are run by the image's own
_TOOLS = ("nvidia-smi", "rocm-smi")


def run(build_image: bool, as_json: bool) -> int:
    """Print what stands; the exit status: 0 where what `auto` would use does."""
    if build_image:
        from crl_data.sandbox import docker

        docker.build_image(IN_IMAGE)
    found = examine_machine()
    print(json.dumps(found, ensure_ascii=False, indent=2) if as_json else _text(found))
    return 0 if found["auto"] else 1


def examine_machine() -> dict[str, Any]:
    """All that is found, as JSON has it."""
    backends = {"local": _backend("local"), "docker": _backend("docker")}
    if not backends["local"]["stands"]:
        backends["local --allow-weak"] = _backend("weak")
    return {
        "machine": _machine(),
        "auto": next((name for name in ("local", "docker") if backends[name]["stands"]), None),
        "required_walls": list(REQUIRED_WALLS),
        "backends": backends,
        "samplers": {name: _version(name) for name in ("openai", "vllm")},
        "accelerators": _accelerators(),
    }


def _backend(name: str) -> dict[str, Any]:
    """Open a sandbox and try everything on a runner of it. `stands`: every required wall does, and held."""
    try:
        sandbox = open_weak(LIBRARIES) if name == "weak" else open_sandbox(name, LIBRARIES)
        runner = sandbox.start(False)
    except SandboxUnavailable as error:
        return {"stands": False, "why": str(error), "walls": [], "missing": {}, "checks": []}
    try:
        seen = list(
            tqdm(checks.examine(runner, SCRATCH_MB), total=len(checks.CHECKS), desc=name, disable=None, leave=False)
        )
    finally:
        runner.close()
    tried = [
        {"wall": one.check.wall, "check": one.check.name, "holds": one.holds, "detail": one.detail} for one in seen
    ]
    fallen = sorted({one.check.wall for one in seen if not one.holds} & {*REQUIRED_WALLS})
    complete = len(seen) == len(checks.CHECKS)
    return {
        "stands": complete and not fallen and not sandbox.lacking,
        "why": _why(sandbox, fallen, complete),
        "walls": list(sandbox.walls),
        "missing": sandbox.missing,
        "checks": tried,
    }


def _why(sandbox: Sandbox, fallen: Iterable[str], complete: bool) -> str:
    if not complete:
        return "its runner died of a check"
    if sandbox.lacking:
        return f"without the required walls {', '.join(sandbox.lacking)}"
    named = ", ".join(fallen)
    return f"required walls that did not hold: {named}" if named else "every required wall stands"


def _machine() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "processors": processors(),
        "user": "root" if os.getuid() == 0 else f"user {os.getuid()}",
        "container": _container(),
    }


def _container() -> str:
    """What says that this is a container; empty where nothing does."""
    for path, name in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if Path(path).exists():
            return name
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    try:
        version = Path("/proc/version").read_text(encoding="utf-8")
    except OSError:
        return ""
    return "gvisor" if "gvisor" in version.lower() else "wsl" if "microsoft" in version.lower() else ""


def _version(name: str) -> str | None:
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _accelerators() -> list[str]:
    """What the vendors' own tools list."""
    found = []
    for tool in _TOOLS:
        if shutil.which(tool):
            query = (
                ["--query-gpu=name,memory.total", "--format=csv,noheader"]
                if tool == "nvidia-smi"
                else ["--showproductname"]
            )
            try:
                listed = subprocess.run([tool, *query], capture_output=True, text=True, timeout=20)
            except (OSError, subprocess.TimeoutExpired):
                continue
            found += [line.strip() for line in listed.stdout.splitlines() if line.strip() and listed.returncode == 0]
    return found


def _text(found: dict[str, Any]) -> str:
    machine = found["machine"]
    inside = f", in a container ({machine['container']})" if machine["container"] else ""
    lines = [
        f"machine       {machine['system']}; Python {machine['python']}; {machine['processors']} processors; "
        f"as {machine['user']}{inside}"
    ]
    for name, backend in found["backends"].items():
        lines += ["", f"{name:<13} {'stands' if backend['stands'] else 'does not stand'}: {backend['why']}"]
        tried: dict[str, list[dict[str, Any]]] = {}
        for one in backend["checks"]:
            tried.setdefault(one["wall"], []).append(one)
        for wall, checked in tried.items():
            held = [one for one in checked if one["holds"]]
            required = " (required)" if wall in found["required_walls"] else ""
            state = "holds" if len(held) == len(checked) else "DOES NOT HOLD"
            lines.append(f"  {wall:<11} {state}{required}: {len(held)} of {len(checked)} attempts came to nothing")
            lines += [f"    {one['check']}: {one['detail']}" for one in checked if not one["holds"]]
        lines += [f"  {wall:<11} missing: {why}" for wall, why in backend["missing"].items()]
    samplers = [f"{name} {version or 'not installed'}" for name, version in found["samplers"].items()]
    lines += [
        "",
        f"samplers      recorded, mutants; {', '.join(samplers)}",
        f"accelerators  {'; '.join(found['accelerators']) or 'none found'}",
        f"auto          {found['auto'] or 'nothing to judge behind'}",
    ]
    return "\n".join(lines)
