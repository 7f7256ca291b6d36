"""A real source tree that is the same on every machine: the crates that Cargo.lock pins."""

import json
import pathlib
import shutil

from .process import run


class Source:
    """`tree`, the same as `tar`, and as a bare git `repository`; `entries` in it, directories counted."""

    def __init__(self, root, work, wanted):
        self.place = work / "source"
        self.tree, self.tar = self.place / "tree", self.place / "tree.tar"
        self.repository = self.place / "tree.git"
        self.tree.mkdir(parents=True)
        self.entries = self._copy(root, wanted)
        run(["tar", "-cf", self.tar, "-C", self.tree, "."])
        self._commit()

    def _copy(self, root, wanted):
        said = run(["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", root / "Cargo.toml"])
        packages = json.loads(said)["packages"]
        entries = 0
        for package in sorted(packages, key=lambda package: (package["name"], package["version"])):
            if package["source"] is None:
                continue
            home = pathlib.Path(package["manifest_path"]).parent
            # Of the crates with thousands of generated files, one is enough.
            count = sum(1 for _ in home.rglob("*"))
            if count > wanted / 4:
                continue
            shutil.copytree(home, self.tree / home.name, symlinks=True)
            entries += count + 1
            if entries >= wanted:
                break
        return entries

    def _commit(self):
        git = ["git", "-C", self.tree, "-c", "user.name=bench", "-c", "user.email=bench@localhost",
               "-c", "core.autocrlf=false", "-c", "gc.auto=0"]
        run([*git, "init", "-q", "-b", "main"])
        run([*git, "add", "-A", "-f"])
        run([*git, "commit", "-q", "-m", "A source tree"])
        run(["git", "clone", "-q", "--bare", self.tree, self.repository])
        shutil.rmtree(self.tree / ".git")
