#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Brings sizes, hashes and accuracies in models/manifest.json up to date with the files it lists.

    python3 models/train/update_manifest.py models/manifest.json
"""

import hashlib
import json
import sys
from pathlib import Path


def main() -> None:
    manifest_path = Path(sys.argv[1])
    folder = manifest_path.parent
    manifest = json.loads(manifest_path.read_text())
    for entry in [*manifest["models"], *manifest["data"]]:
        data = (folder / entry["file"]).read_bytes()
        entry["sha256"] = hashlib.sha256(data).hexdigest()
        if "report" not in entry:
            continue
        report = json.loads((folder / entry["report"]).read_text())
        if report["sha256"] != entry["sha256"]:
            raise SystemExit(f"{entry['report']} belongs to another {entry['file']}; train again")
        entry["bytes"] = len(data)
        entry["top1"] = report["top1"]
    manifest_path.write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
