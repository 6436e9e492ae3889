#!/usr/bin/env python3
"""Writes the static programs that the recipes put into images: they say hello and end. A test holds the committed ones
against this: recipes/hello.py ARCHITECTURE FILE."""

import os
import struct
import sys


def amd64(text, length):
    code = b"\xb8\x01\x00\x00\x00"  # mov eax, 1 (write)
    code += b"\xbf\x01\x00\x00\x00"  # mov edi, 1
    code += b"\x48\x8d\x35" + struct.pack("<i", text - len(code) - 7)  # lea rsi, [rip + text]
    code += b"\xba" + struct.pack("<I", length)  # mov edx, length
    code += b"\x0f\x05"  # syscall
    code += b"\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05"  # mov eax, 60 (exit); xor edi, edi; syscall
    return code


def arm64(text, length):
    words = [0xD2800020]  # mov x0, 1
    offset = text - 4
    words.append(0x10000001 | (offset & 3) << 29 | (offset >> 2) << 5)  # adr x1, text
    words += [0xD2800002 | length << 5, 0xD2800808, 0xD4000001]  # mov x2, length; mov x8, 64 (write); svc 0
    words += [0xD2800000, 0xD2800BA8, 0xD4000001]  # mov x0, 0; mov x8, 93 (exit); svc 0
    return b"".join(struct.pack("<I", word) for word in words)


def program(architecture):
    machine, assemble = {"amd64": (62, amd64), "arm64": (183, arm64)}[architecture]
    text = b"Hello from " + architecture.encode() + b", baked by rebake.\n"
    code = assemble(64, len(text))  # for its length only
    code = assemble((len(code) + 3) // 4 * 4, len(text))
    body = code + b"\0" * (-len(code) % 4) + text
    base, head = 0x400000, 64 + 56
    size = head + len(body)
    elf = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    elf += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + head, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return elf + body


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as file:
        file.write(program(sys.argv[1]))
    os.chmod(sys.argv[2], 0o755)
