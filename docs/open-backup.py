#!/usr/bin/env python3
"""Opens a backup of Strongroom's master keys without Strongroom (docs/FORMAT.md).

    python3 open-backup.py BACKUP OUTPUT                   asks for the passphrase
    python3 open-backup.py BACKUP OUTPUT SHARE [SHARE...]  files that each hold a share

OUTPUT  where the master keys go, one a line, for MASTER_KEYS_FILE; it must not exist

Needs Python 3.8 and the package `cryptography`; for a passphrase `argon2-cffi` as well
(Debian: python3-cryptography, python3-argon2).
"""
import base64
import getpass
import hashlib
import json
import os
import sys
import unicodedata
import uuid

from cryptography.fernet import Fernet, InvalidToken

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Refused(Exception):
    """Something does not fit. Nothing of it is used."""


def check(fits, what):
    if not fits:
        raise Refused(what)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def read_share(path):
    """(backup id, index, threshold, shares), and the part: 32 bytes and its place."""
    with open(path, encoding="utf-8") as file:
        text = file.read().strip().splitlines()[-1]
    digits = text.upper().replace("-", "").replace(" ", "")
    check(digits.startswith("SR1"), f"{path}: no share")
    bits = "".join(f"{ALPHABET.index(digit):05b}" for digit in digits[3:])
    raw = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))
    check(len(raw) == 57, f"{path}: bytes are missing or left over")
    check(hashlib.sha256(raw[:53]).digest()[:4] == raw[53:], f"{path}: mistyped")
    check(raw[0] == 1, f"{path}: not version 1")
    return (str(uuid.UUID(bytes=raw[1:17])), raw[17], raw[18], raw[19]), raw[20:53]


def multiply(a, b):
    """In GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def inverse(a):
    return next(b for b in range(256) if multiply(a, b) == 1)


def combine(parts):
    """Lagrange's interpolation at 0, for each byte."""
    secret = bytearray(32)
    for part in parts:
        weight = 1
        for other in parts:
            if other is not part:
                weight = multiply(weight, multiply(other[32], inverse(other[32] ^ part[32])))
        for at in range(32):
            secret[at] ^= multiply(part[at], weight)
    return bytes(secret)


def key_from_shares(paths, header):
    shares = [read_share(path) for path in paths]
    terms = header["protection"]
    for about, _ in shares:
        check(about[0] == header["backup_id"], f"share {about[1]} is of another backup")
    parts = list({about[1]: part for about, part in shares}.values())
    check(len(parts) >= terms["threshold"], f"too few shares: {terms['threshold']} are needed")
    return combine(parts[: terms["threshold"]])


def key_from_passphrase(passphrase, terms):
    from argon2.low_level import Type, hash_secret_raw

    return hash_secret_raw(
        secret=unicodedata.normalize("NFC", passphrase).encode(),
        salt=base64.urlsafe_b64decode(terms["salt"]),
        time_cost=terms["passes"],
        memory_cost=terms["memory_kib"],
        parallelism=terms["lanes"],
        hash_len=32,
        type=Type.ID,
        version=19,
    )


def open_backup(backup, share_paths):
    digest = backup.pop("sha256")
    check(hashlib.sha256(compact(backup)).hexdigest() == digest, "the file is damaged")
    sealed = backup.pop("sealed")
    check((backup["what"], backup["version"]) == ("strongroom key backup", 1), "not version 1")
    terms = backup["protection"]
    if terms["kind"] == "shares":
        key = key_from_shares(share_paths, backup)
    else:
        check(terms["kdf"] == "argon2id" and terms["memory_kib"] <= 2**20, "not Argon2id")
        key = key_from_passphrase(getpass.getpass("Passphrase: "), terms)
    try:
        plaintext = Fernet(base64.urlsafe_b64encode(key)).decrypt(sealed.encode())
    except InvalidToken:
        raise Refused("another passphrase or other shares") from None
    outside, _, content = plaintext.partition(b"\n")
    check(outside == compact(backup), "the outside was tampered with")
    return json.loads(content)


def main(backup_path, output_path, *share_paths):
    with open(backup_path, encoding="utf-8") as file:
        content = open_backup(json.load(file), share_paths)
    descriptor = os.open(output_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.writelines(f"{each['key']}\n" for each in content["master_keys"])
    for row in content["deployment_keys"]:
        print(f"{row['use']}\t{row['master_key_id']}\t{row['wrapped']}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (Refused, OSError, ValueError, KeyError, IndexError) as error:
        sys.exit(f"Not opened: {error}")
