"""The Python of the documents runs as it is written, against the real server."""

import ast
import asyncio
import inspect
import os
import re
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List

import certimix
import grpc

from support import BORDER_INPUT, CLEAR_INPUT, ROOT, Server, certificates

DOCUMENTS = [ROOT / "clients" / "python" / "README.md", ROOT / "docs" / "guides" / "clients.md"]


class LoopEndError(Exception):
    """Ends an endless loop of a document."""


def python_blocks(document: Path) -> List[str]:
    return re.findall(r"^```python\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


class DocumentsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # The documents name these files without a folder.
        for name, source in {"ca.crt": "ca.crt", "me.crt": "client.crt", "me.key": "client.key"}.items():
            shutil.copy(certificates() / source, Path(folder.name) / name)
        (Path(folder.name) / "token").write_text("secret\n")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)

    def names(self, client: certimix.Client) -> Dict[str, Any]:
        """What the documents take from their surroundings."""
        observations = iter([CLEAR_INPUT, BORDER_INPUT])

        def observe() -> Any:
            try:
                return next(observations)
            except StopIteration:
                raise LoopEndError from None

        self.actions: List[Any] = []
        return {
            "HOLD": "hold",
            "act": self.actions.append,
            "camera": lambda: [CLEAR_INPUT, BORDER_INPUT],
            "certimix": certimix,
            "client": client,
            "grpc": grpc,
            "image": CLEAR_INPUT,
            "observe": observe,
            "print": lambda *_: None,
        }

    def test_every_block_runs(self) -> None:
        with Server() as server, certimix.Client(server.unix, deadline=30.0) as client:
            for document in DOCUMENTS:
                blocks = python_blocks(document)
                self.assertGreater(len(blocks), 2, document)
                for block in blocks:
                    with self.subTest(document.name, block=block):
                        # The machine of a test may be slower than a control loop allows.
                        text = re.sub(r"deadline=[0-9.]+", "deadline=30.0", block)
                        text = text.replace('Client("unix:///run/certimix.sock")', f'Client("{server.unix}", deadline=30.0)')
                        text = text.replace("unix:///run/certimix.sock", server.unix)
                        text = text.replace("127.0.0.1:50051", server.tcp).replace("timeout=1.0", "timeout=30.0")
                        self.run_block(text, self.names(client))
                        if "act(" in block:
                            self.assertEqual(self.actions[1:], ["hold"])
                            self.assertNotEqual(self.actions[0], "hold")

    def run_block(self, text: str, names: Dict[str, Any]) -> None:
        code = compile(text, "document", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        try:
            result = eval(code, names)
            if inspect.iscoroutine(result):
                asyncio.run(result)
        except LoopEndError:
            return


if __name__ == "__main__":
    unittest.main()
