#!/usr/bin/env python3
"""Writes the base image that this recipe stands on: a small layout with what real bases have and rebake has to respect.
No byte of it comes from rebake. recipes/on-base/base.py FOLDER."""

import gzip
import hashlib
import importlib.util
import io
import json
import pathlib
import sys
import tarfile

TIME = 1600000000


def hello():
    path = pathlib.Path(__file__).resolve().parent.parent / "hello.py"
    spec = importlib.util.spec_from_file_location("hello", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.program("amd64")


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, mode, owner, content in entries:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.uid, entry.gid, entry.mtime = mode, owner, owner, TIME
            entry.type = {"dir": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE}[kind]
            if kind == "link":
                entry.linkname = content
            if kind == "file":
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content) if kind == "file" else None)
    return out.getvalue()


def write(folder):
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    layers = [
        layer(
            ("usr/", "dir", 0o755, 0, None),
            ("usr/bin/", "dir", 0o755, 0, None),
            ("usr/bin/hello", "file", 0o755, 0, hello()),
            ("bin", "link", 0o777, 0, "usr/bin"),
            ("run/", "dir", 0o755, 0, None),
            ("var/", "dir", 0o755, 0, None),
            ("var/run", "link", 0o777, 0, "/run"),
            ("tmp/", "dir", 0o1777, 0, None),
            ("etc/", "dir", 0o755, 0, None),
            ("etc/passwd", "file", 0o644, 0, b"root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false"),
            ("etc/group", "file", 0o644, 0, b"root:x:0:\nwww-data:x:33:\nstaff:x:50:\n"),
            ("home/", "dir", 0o711, 0, None),
            ("home/app/", "dir", 0o700, 1000, None),
            ("opt/", "dir", 0o755, 0, None),
            ("opt/old/", "dir", 0o755, 0, None),
            ("opt/old/big", "file", 0o644, 0, b"was big\n"),
        ),
        layer(
            ("etc/", "dir", 0o755, 0, None),
            ("etc/base-release", "file", 0o644, 0, b"base 12\n"),
            ("opt/old/.wh.big", "file", 0o644, 0, b""),
            ("opt/old/small", "file", 0o644, 0, b"small\n"),
        ),
    ]
    descriptors = [
        blob(gzip.compress(data, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip") for data in layers
    ]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-09-13T12:26:40Z",
        "author": "base.py",
        "docker_version": "20.10.24",
        "example.numbers": [1.5, 1e21, 12345678901234567890123, -0.0000001, 1e-6],
        "config": {
            "Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"],
            "Entrypoint": ["/usr/bin/hello"],
            "Cmd": ["--of-the-base"],
            "WorkingDir": "/home/app",
            "ExposedPorts": {"22/tcp": {}},
            "Labels": {"org.example.base": "yes", "org.example.both": "base"},
            "OnBuild": ["RUN true"],
            "Shell": ["/bin/hello", "-c"],
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]},
        "history": [
            {"created": "2020-09-13T12:26:40Z", "created_by": "base.py layer 1"},
            {"created": "2020-09-13T12:26:40Z", "created_by": "ENV LANG=C.UTF-8", "empty_layer": True},
            {"created": "2020-09-13T12:26:40Z", "created_by": "base.py layer 2", "comment": "on top"},
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": descriptors,
    }
    image = blob(json.dumps(manifest).encode(), manifest["mediaType"])
    image["annotations"] = {"org.opencontainers.image.ref.name": "12"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [image]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
