#!/usr/bin/env python3
"""Opens one sealed file of Strongroom without Strongroom (docs/FORMAT.md).

    MASTER_KEYS=<key>[,<key>...] python3 recover.py SEALED ROWS OUTPUT

Where AWS KMS or Vault holds the master key ("wrapped" of the user key begins with kms: or vault:) it
has to open the user key, and what it prints is given in place of MASTER_KEYS (the two commands are
in docs/FORMAT.md, "Recovery without the service"):

    USER_KEY=<base64> python3 recover.py SEALED ROWS OUTPUT

SEALED  the sealed file, as it lies in the store
ROWS    JSON: {"user_key": {"user", "version", "wrapped"},
               "wrapped_file_key": {"sealed_id", "user", "user_key_version", "basis",
                                    "expires_at", "wrapped"},
               "metadata": "<the raw token in base64>"}
OUTPUT  where the plaintext goes; it must not exist, and appears only when everything fits

Prints the file's metadata. Needs Python 3.8 and the package `cryptography`, nothing else.
"""
import base64
import hashlib
import json
import os
import struct
import sys
import uuid

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

HEADER = struct.Struct(">8sB7s16s")  # magic, log2 of S, zero, sealed id
LABEL = struct.Struct(">16sQBB6s")  # sealed id, index, flag, log2 of S, zero
TOKEN_AND_LABEL = 105  # a segment of n bytes takes this and n rounded down to whole blocks
METADATA_INDEX, METADATA_FLAG = 2**64 - 1, 2


class Refused(Exception):
    """Something does not fit. Nothing of it is used."""


def check(fits, what):
    if not fits:
        raise Refused(what)


def decrypt(fernet, token, what):
    try:
        return fernet.decrypt(token)
    except InvalidToken:
        raise Refused(f"{what}: another key, or changed bytes") from None


def unwrap(wrapper, wrapped, claims):
    """The key in a wrapping that says exactly `claims` of itself."""
    plaintext = decrypt(wrapper, wrapped.encode(), f"wrapping of the {claims['use']}")
    key, _, said = plaintext.partition(b"\n")
    check(json.loads(said) == claims, f"wrapping of the {claims['use']}: it says something else")
    return Fernet(key)


def unlabel(plaintext, label, what):
    check(plaintext[-LABEL.size :] == label, f"{what}: sealed as something else")
    return plaintext[: -LABEL.size]


def open_token(file_key, token, label, what):
    return unlabel(decrypt(file_key, base64.urlsafe_b64encode(token), what), label, what)


def open_user_key(keys, user):
    """Unwrapped with a master key, or by whoever holds it, who has compared the claims already."""
    if ":" in user["wrapped"]:
        check(keys["user"], "KMS or Vault must open the user key: give what it prints in USER_KEY")
        return Fernet(base64.urlsafe_b64encode(base64.b64decode(keys["user"], validate=True)))
    claims = {"use": "user-key", "user": user["user"], "version": user["version"]}
    check(keys["master"], "a master key is needed: give it in MASTER_KEYS")
    return unwrap(MultiFernet(keys["master"]), user["wrapped"], claims)


def open_file_key(keys, rows):
    user, grant = rows["user_key"], rows["wrapped_file_key"]
    user_key = open_user_key(keys, user)
    claims = {
        "use": "file-key",
        "sealed_id": grant["sealed_id"],
        "format": 1,
        "user": grant["user"],
        "user_key_version": grant["user_key_version"],
        "basis": grant["basis"],
        "expires_at": grant["expires_at"],
    }
    check(grant["user"] == user["user"], "the file key is wrapped for another user")
    check(grant["user_key_version"] == user["version"], "another version of the user key is needed")
    return unwrap(user_key, grant["wrapped"], claims)


def read_header(sealed, sealed_id):
    raw = sealed.read(HEADER.size)
    check(len(raw) == HEADER.size, "header: bytes are missing")
    magic, log2, zero, found = HEADER.unpack(raw)
    check(magic == b"STRONGR1" and zero == bytes(7) and 16 <= log2 <= 22, "header: not version 1")
    check(found == sealed_id, "header: another sealed file")
    return log2


def segments(sealed, file_key, sealed_id, log2, size):
    """The data, segment by segment, each verified."""
    count = max(1, -(-size >> log2))
    for index in range(count):
        length = min(size - (index << log2), 1 << log2)
        token = sealed.read(TOKEN_AND_LABEL + length // 16 * 16)
        label = LABEL.pack(sealed_id, index, int(index == count - 1), log2, bytes(6))
        data = open_token(file_key, token, label, f"segment {index}")
        check(len(data) == length, f"segment {index}: another length")
        yield data
    check(sealed.read(1) == b"", "bytes are left over at the end")


def recover(sealed, rows, output, keys):
    """Writes the plaintext to `output`; returns the metadata."""
    sealed_id = uuid.UUID(rows["wrapped_file_key"]["sealed_id"]).bytes
    file_key = open_file_key(keys, rows)
    log2 = read_header(sealed, sealed_id)
    token = base64.b64decode(rows["metadata"], validate=True)
    label = LABEL.pack(sealed_id, METADATA_INDEX, METADATA_FLAG, log2, bytes(6))
    metadata = json.loads(open_token(file_key, token, label, "metadata"))
    digest, size = hashlib.sha256(), 0
    for data in segments(sealed, file_key, sealed_id, log2, metadata["size"]):
        digest.update(data)
        size += len(data)
        output.write(data)
    check(size == metadata["size"], "the size is not that of the metadata")
    check(digest.hexdigest() == metadata["sha256"], "the SHA-256 is not that of the metadata")
    return metadata


def main(sealed_path, rows_path, output_path):
    given = os.environ.get("MASTER_KEYS", "").split(",")
    master_keys = [Fernet(key.strip()) for key in given if key.strip()]
    keys = {"master": master_keys, "user": os.environ.get("USER_KEY", "").strip()}
    with open(rows_path, encoding="utf-8") as file:
        rows = json.load(file)
    check(not os.path.lexists(output_path), f"{output_path} exists already")
    partial = f"{output_path}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(sealed_path, "rb") as sealed, os.fdopen(descriptor, "wb") as output:
            metadata = recover(sealed, rows, output, keys)
            output.flush()
            os.fsync(output.fileno())
        os.rename(partial, output_path)
    except BaseException:
        os.unlink(partial)
        raise
    print(json.dumps(metadata, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    if len(sys.argv) != 4 or not (
        os.environ.get("MASTER_KEYS") or os.environ.get("USER_KEY")
    ):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (Refused, OSError, ValueError, KeyError) as error:
        sys.exit(f"Not recovered: {error}")
