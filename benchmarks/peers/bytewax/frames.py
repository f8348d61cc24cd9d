"""Columns of frames as numpy arrays. The layout is drawn in engine/wire/envelope.ts, column-crcs.ts and frame-layout.ts. CRCs are checked, of
columns where they are read, and that a column is the expected one; the rest is trusted."""

import struct
import zlib

import numpy as np

BODY_HEADER_BYTES = 8
PLAIN, CONST, DECIMAL, OFFSET, SHORT = range(5)
F64, TIME, I32, STRING = 1, 3, 4, 7
# Field id, type, encoding, whether there are nulls, exponent, bytes, entries of the dictionary, base.
COLUMN = struct.Struct("<HBBBBxxIId")


def frames(data):
    """The frames of a file that is in memory."""
    view, at = memoryview(data), 0
    while at < len(view):
        end = at + 4 + int.from_bytes(view[at : at + 4], "little")
        yield Frame(view[at + 4 : end])
        at = end


def leading(data, records):
    """The part of a file whose frames hold at least so many records, or all of it."""
    seen, end = 0, 0
    for frame in frames(data):
        if seen >= records:
            break
        seen += frame.records
        end += 4 + len(frame.data)
    return data[:end]


class Frame:
    def __init__(self, data):
        if data[:4] != b"MRF1":
            raise ValueError("it is no frame")
        self.data = data
        self.header_bytes, self.records, body_bytes = struct.unpack_from("<III", data, 12)
        self.body = len(data) - body_bytes
        (count,) = struct.unpack_from("<I", data, self.body)
        self.sections = self.body + BODY_HEADER_BYTES + count * COLUMN.size
        (self.version,) = struct.unpack_from("<H", data, 8)

    def check(self):
        data, start = self.data, self.header_bytes
        crc, _, compression = struct.unpack_from("<IHH", data, 4)
        if self.version not in (1, 2) or compression != 0:
            raise ValueError("its version or compression is not known here")
        end = self.sections if self.version == 2 else len(data)
        if zlib.crc32(data[8:start]) != crc or zlib.crc32(data[start:end]) != struct.unpack_from("<I", data, 28)[0]:
            raise ValueError("a CRC does not match")

    def columns(self, *wanted):
        """Wanted are pairs of index and field id in rising order. Strings come as a list, all else as an array; the places of nulls hold
        anything."""
        entries, at = self.body + BODY_HEADER_BYTES, self.sections
        ids = dict(wanted)
        found = []
        for index in range(wanted[-1][0] + 1):
            field, *entry = COLUMN.unpack_from(self.data, entries + index * COLUMN.size)
            next_ = at - (-entry[4] // 8) * 8
            if index in ids:
                if field != ids[index]:
                    raise ValueError(f"column {index} is another one")
                if self.version == 2 and zlib.crc32(self.data[at:next_]) != self._crc(index):
                    raise ValueError(f"the CRC of column {index} does not match")
                found.append(self._column(entry, at))
            at = next_
        return found

    def _crc(self, index):
        return struct.unpack_from("<I", self.data, self.header_bytes + 4 * index)[0]

    def _column(self, entry, at):
        kind, encoding, nulls, exponent, bytes_, count, base = entry
        end = at + bytes_
        if nulls:
            at += -(-((self.records + 7) >> 3) // 8) * 8
        if kind == STRING:
            return self._strings(encoding, count, at, end)
        if encoding == CONST:
            return np.full(self.records, base)
        if encoding == PLAIN:
            return np.frombuffer(self.data, "<i4" if kind == I32 else "<f8", self.records, at)
        numbers = np.frombuffer(self.data, "<u2" if encoding == SHORT else "<i4", self.records, at)
        return numbers / 10.0**exponent if encoding == DECIMAL else (numbers + base) / 10.0**exponent

    def _strings(self, encoding, count, at, end):
        texts, from_ = [], at + 4 * count
        for length in np.frombuffer(self.data, "<u4", count, at).tolist():
            texts.append(str(self.data[from_ : from_ + length], "utf-8"))
            from_ += (length + 3) & ~3
        if encoding == CONST:
            return texts * self.records
        if encoding != PLAIN:
            raise ValueError(f"strings are not encoded as {encoding}")
        codes = np.frombuffer(self.data, "<u2", self.records, end - 2 * self.records)
        return [texts[code] for code in codes.tolist()]
