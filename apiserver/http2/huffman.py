"""The static Huffman code of header texts (RFC 7541, appendix B).

The code is canonical: the lengths say everything. Decoding goes byte by byte through a machine whose steps
are worked out when they are taken for the first time.
"""

from __future__ import annotations

from typing import Final


class HuffmanError(ValueError):
    """Bytes that no text is coded as."""


_END: Final = 256
_BY_LENGTH: Final[tuple[tuple[int, bytes], ...]] = (
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b'!"()?'),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\x00$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, bytes([92, 195, 208])),
    (20, bytes([128, 130, 131, 162, 184, 194, 224, 226])),
    (21, bytes([153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230])),
    (
        22,
        bytes([129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186])
        + bytes([187, 189, 190, 196, 198, 228, 232, 233]),
    ),
    (
        23,
        bytes([1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168])
        + bytes([174, 175, 180, 182, 183, 188, 191, 197, 231, 239]),
    ),
    (24, bytes([9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237])),
    (25, bytes([199, 207, 234, 235])),
    (26, bytes([192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255])),
    (
        27,
        bytes([203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253])
        + bytes([254]),
    ),
    (
        28,
        bytes([2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29])
        + bytes([30, 31, 127, 220, 249]),
    ),
    (30, bytes([10, 13, 22])),
)
_MOST_PADDING: Final = 7


class _Machine:
    """Nodes of the tree by number, and what a whole byte does at a node."""

    def __init__(self) -> None:
        self._children: list[list[int]] = [[-1, -1]]
        self._symbol: list[int] = [-1]
        self.padding = {0}
        """Where a text may end: at the root, or after some of the ones that begin the end's code."""
        self.steps: dict[int, tuple[int, bytes]] = {}
        """The node after a byte at a node, and what it completes, as far as that has been asked for."""
        self.codes: dict[int, tuple[int, int]] = {}
        """Code and length of each symbol."""
        self._grow()

    def _grow(self) -> None:
        symbols = [(length, symbol) for length, text in _BY_LENGTH for symbol in text]
        symbols.append((30, _END))
        code, before = -1, symbols[0][0]
        for length, symbol in symbols:
            code = (code + 1) << (length - before)
            before = length
            self.codes[symbol] = code, length
            node = 0
            for bit in range(length - 1, -1, -1):
                side = code >> bit & 1
                if self._children[node][side] < 0:
                    self._children[node][side] = len(self._children)
                    self._children.append([-1, -1])
                    self._symbol.append(-1)
                node = self._children[node][side]
            self._symbol[node] = symbol
        node = 0
        for _ in range(_MOST_PADDING):
            node = self._children[node][1]
            self.padding.add(node)

    def step(self, key: int) -> tuple[int, bytes]:
        """What is among the steps from now on. The key is a node and a byte."""
        found = self.steps[key] = self._walk(key >> 8, key & 0xFF)
        return found

    def _walk(self, node: int, byte: int) -> tuple[int, bytes]:
        text = bytearray()
        for bit in range(7, -1, -1):
            node = self._children[node][byte >> bit & 1]
            symbol = self._symbol[node]
            if symbol == _END:
                raise HuffmanError("the end is coded inside of a text")
            if symbol >= 0:
                text.append(symbol)
                node = 0
        return node, bytes(text)


_MACHINE: Final = _Machine()


def decode(data: bytes) -> bytes:
    """The text; HuffmanError where there is none."""
    node, steps = 0, _MACHINE.steps
    parts: list[bytes] = []
    for byte in data:
        key = node << 8 | byte
        node, text = steps.get(key) or _MACHINE.step(key)
        parts.append(text)
    if node not in _MACHINE.padding:
        raise HuffmanError("a text ends inside of a character")
    return b"".join(parts)


def encode(data: bytes) -> bytes:
    """The text coded."""
    bits, count = 0, 0
    for byte in data:
        code, length = _MACHINE.codes[byte]
        bits, count = bits << length | code, count + length
    padding = -count % 8
    return (bits << padding | (1 << padding) - 1).to_bytes((count + padding) // 8, "big")
