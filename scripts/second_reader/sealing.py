"""docs/format.md, sections 3 and 4: primitives, sealed objects, the volume header."""
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LOG, PACK, SEGMENT = 1, 2, 3
HEADER_LEN = 128


class Refused(Exception):
    """The bytes are not what the format says."""


def check(holds, what):
    if not holds:
        raise Refused(what)


class Fields:
    """Takes fixed-width little-endian fields off the front of some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        check(self.at + length <= len(self.data), "cut short")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, width, signed=False):
        return int.from_bytes(self.take(width), "little", signed=signed)

    def bytes(self, most):
        length = self.number(4)
        check(length <= most, "too long")
        return self.take(length)

    def list(self, most, item):
        count = self.number(4)
        check(count <= most, "too many")
        return [item() for _ in range(count)]

    def optional(self, item):
        flag = self.number(1)
        check(flag <= 1, "neither there nor absent")
        return item() if flag else None

    def end(self):
        check(self.at == len(self.data), "more bytes than there should be")


def hkdf(secret, salt, label, context, length):
    return HKDF(SHA256(), length, salt, label.encode() + b"\0" + context).derive(secret)


class Keys:
    """The 76 bytes of sealing keys."""

    def __init__(self, secret, salt, label, commitment, context=b""):
        both = hkdf(secret, salt, label, context, 76)
        self.aead, self.base = AESGCMSIV(both[:32]), both[32:44]
        check(hmac.compare_digest(both[44:], commitment), "the commitment is another key's")

    def open(self, number, sealed, associated):
        last = bytes(a ^ b for a, b in zip(self.base[8:], struct.pack("<I", number)))
        try:
            return self.aead.decrypt(self.base[:8] + last, sealed, associated)
        except InvalidTag as why:
            raise Refused("the bytes are not what was sealed here") from why


def lz4(block, length):
    """The block format of LZ4, to exactly `length` bytes."""
    out, at = bytearray(), 0

    def extended(start):
        nonlocal at
        size = start
        while start == 15:
            more = block[at]
            at, size = at + 1, size + more
            if more < 255:
                break
        return size

    while at < len(block):
        token = block[at]
        at += 1
        literals = extended(token >> 4)
        out += block[at : at + literals]
        at += literals
        if at >= len(block):
            break
        offset = block[at] | block[at + 1] << 8
        at += 2
        match = extended(token & 15) + 4
        check(0 < offset <= len(out) and len(out) + match <= length, "no LZ4 block")
        for _ in range(match):
            out.append(out[-offset])
    check(len(out) == length, "a block of another length")
    return bytes(out)


class Object:
    """The header of a sealed object, and the keys that it leads to."""

    def __init__(self, volume, header, kind, object_id, epoch_keys):
        fields = Fields(header[:HEADER_LEN])
        check(fields.take(8) == b"hushfs-o", "no sealed object")
        check((fields.number(2), fields.number(1)) == (1, 1), "another format or suite")
        check(fields.number(1) == kind, "another kind of object")
        check(fields.number(4) == 0, "unknown flags")
        self.kind, self.epoch = kind, fields.number(4)
        check(fields.take(12) == bytes(12), "a zero field is not zero")
        check(fields.take(16) == volume, "an object of another volume")
        check(fields.take(16) == object_id, "another object's place")
        salt, commitment = fields.take(32), fields.take(32)
        self.keys = Keys(epoch_keys[self.epoch], salt, "hushfs v1 object", commitment, header[:96])

    def frame(self, data, number):
        """Opens one frame at the start of `data`: its plaintext, its length and whether it is the last one."""
        plain, stored = struct.unpack_from("<II", data)
        compressed, final, stored = stored >> 30 & 1, stored >> 31, stored & (1 << 30) - 1
        check(plain <= 131_072, "a frame that is too long")
        fits = 64 <= plain and stored <= plain - plain // 16 if compressed else stored == plain
        check(fits and 24 + stored <= len(data), "lengths that do not fit")
        associated = struct.pack("<BBHII", self.kind, final | compressed << 1, 0, number, plain)
        opened = self.keys.open(number, data[8 : 24 + stored], associated)
        return lz4(opened, plain) if compressed else opened, 24 + stored, bool(final)

    def whole(self, data):
        """The plaintext of all frames, to the end of the object."""
        out, at, number, final = b"", HEADER_LEN, 0, False
        while not final:
            plain, length, final = self.frame(data[at:], number)
            out, at, number = out + plain, at + length, number + 1
        check(at == len(data), "something follows the last frame")
        return out


class Header:
    """The object `volume`, opened with a passphrase: epoch keys and settings."""

    def __init__(self, data, passphrase):
        check(data[:8] == b"hushfs-v" and len(data) <= 262_144, "no volume header")
        fields = Fields(data)
        fields.take(8)
        check((fields.number(2), fields.number(1), fields.number(1)) == (1, 1, 0), "another format or suite")
        check(hashlib.sha256(data[:-32]).digest() == data[-32:], "the header is damaged")
        count = fields.number(4)
        check(1 <= count <= 32, "a number of slots out of bounds")
        self.volume, self.generation = fields.take(16), fields.number(8)
        slots = []
        for _ in range(count):
            kind, zero, slot_id = fields.number(1), fields.take(3), fields.take(16)
            check(zero == bytes(3), "a zero field is not zero")
            slots.append((kind, slot_id, fields.bytes(4096)))
        associated = data[: fields.at]
        record = fields.bytes(len(data))
        check(fields.at + 32 == len(data), "more bytes than there should be")
        key = self.unwrap(slots, passphrase)
        sealed = Keys(key, record[:32], "hushfs v1 keyring record", record[32:64])
        self.settings(sealed.open(0, record[64:], associated))
        self.fingerprint = hkdf(key, self.volume, "hushfs v1 fingerprint", b"", 16).hex()

    def unwrap(self, slots, passphrase):
        for kind, slot_id, body in slots:
            if kind != 1:
                continue
            memory, passes, lanes = struct.unpack_from("<III", body)
            check(19 << 10 <= memory <= 2 << 20 and 2 <= passes <= 64 and 1 <= lanes <= 16, "costs out of bounds")
            salt, commitment, wrapped = body[12:44], body[44:76], body[76:]
            stretched = Argon2id(
                salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory
            ).derive(passphrase)
            associated = struct.pack("<HBB", 1, 1, kind) + self.volume + slot_id + body[:12] + salt
            try:
                keys = Keys(stretched, salt, "hushfs v1 passphrase slot", commitment)
            except Refused:
                continue
            return keys.open(0, wrapped, associated)
        raise Refused("the passphrase opens no slot")

    def settings(self, plain):
        fields = Fields(plain)
        check(fields.number(8) == self.generation, "another generation inside")
        check(fields.number(8) & ~3 == 0, "an unknown feature")
        self.epoch, count = fields.number(4), fields.number(4)
        check(1 <= count <= 4096, "a number of epochs out of bounds")
        self.epochs = {fields.number(4): fields.take(32) for _ in range(count)}
        check(self.epoch in self.epochs, "the current epoch has no key")
        self.chunk_size = fields.number(4)
