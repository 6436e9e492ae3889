#!/usr/bin/env python3
"""Writes the archives of this recipe: a tar as GNU tar makes them, with everything but plain files in it, a tar with PAX
headers, and a zip. recipes/archives/archives.py FOLDER."""

import gzip
import io
import lzma
import pathlib
import sys
import tarfile
import zipfile

TIME = 1700000000


def tar(format, *entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, kind, mode, content, extra in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime, entry.uid, entry.gid = kind, mode, TIME, 12, 34
            if isinstance(content, str):
                entry.linkname = content
            elif content is not None:
                entry.size = len(content)
            for key, value in extra.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def write(folder):
    file, folder_, hard, soft = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE
    tools = tar(
        tarfile.GNU_FORMAT,
        ("./", folder_, 0o700, None, {}),
        ("./tools-1.0/", folder_, 0o755, None, {}),
        ("./tools-1.0/bin/", folder_, 0o755, None, {}),
        ("./tools-1.0/bin/zz", file, 0o4755, b"#!/bin/sh\necho tool\n", {}),
        ("./tools-1.0/bin/aa", hard, 0o4755, "./tools-1.0/bin/zz", {}),
        ("./tools-1.0/bin/link", soft, 0o777, "zz", {}),
        ("./tools-1.0/doc/" + "long-" * 40 + ".txt", file, 0o644, b"a long name\n", {}),
        ("./tools-1.0/dev/null", tarfile.CHRTYPE, 0o666, None, {"devmajor": 1, "devminor": 3}),
        ("./tools-1.0/run/pipe", tarfile.FIFOTYPE, 0o600, None, {}),
        ("./README", file, 0o644, b"not below the folder that strip takes away\n", {}),
    )
    (folder / "tools.tar.gz").write_bytes(gzip.compress(tools, mtime=0))
    capability = b"\1\0\0\2\0\4\0\0" + b"\0" * 12
    pax = tar(
        tarfile.PAX_FORMAT,
        ("data/grüße.txt", file, 0o640, "Grüße\n".encode(), {"uid": 3000000, "mtime": TIME + 0.75}),
        ("data/serve", file, 0o755, b"\x7fELF\n", {
            "pax_headers": {"SCHILY.xattr.security.capability": capability.decode("latin-1")}
        }),
        ("data/skipped.log", file, 0o644, b"not wanted\n", {}),
    )
    (folder / "data.tar.xz").write_bytes(lzma.compress(pax))
    with zipfile.ZipFile(folder / "site.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, content in [
            ("site/", 0o40755, b""),
            ("site/index.html", 0o100644, b"<p>zipped</p>\n" * 50),
            ("site/run.sh", 0o100755, b"#!/bin/sh\n"),
            ("site/latest", 0o120777, b"index.html"),
        ]:
            entry = zipfile.ZipInfo(name, (2024, 2, 29, 12, 0, 0))
            entry.external_attr, entry.create_system = mode << 16, 3
            archive.writestr(entry, content)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
