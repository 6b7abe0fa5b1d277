# SPDX-License-Identifier: Apache-2.0
"""First script in the executable: packages may hold linked extensions (BuiltinImporter refuses them), and nothing is sought on disk."""

import sys
from _frozen_importlib import BuiltinImporter, ModuleSpec
from _imp import is_builtin


class LinkedImporter(BuiltinImporter):
    """Finds the extensions of packages among those linked into the executable."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is not None and is_builtin(name):
            return ModuleSpec(name, cls, origin="built-in")
        return None


sys.meta_path[:] = [*sys.meta_path[:2], LinkedImporter]
sys.frozen = True  # type: ignore[attr-defined]
