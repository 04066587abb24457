"""The files that an ONNX file refers to, read from its bytes (protocol buffers' wire format)."""

from collections.abc import Iterator

GRAPH, FUNCTIONS = 7, 25  # of a model
NODES, INITIALIZERS, SPARSE = 1, 5, 15  # of a graph; a function has its nodes elsewhere
FUNCTION_NODES = 7
ATTRIBUTES = 5  # of a node
TENSOR, SUBGRAPH, TENSORS, SUBGRAPHS, SPARSE_TENSOR, SPARSE_TENSORS = 5, 6, 10, 11, 22, 23
VALUES, INDICES = 1, 2  # of a sparse tensor
EXTERNAL = 13  # of a tensor: pairs of key (1) and value (2)

Span = tuple[int, int]


def external_files(data: bytes) -> list[str]:
    """The names of files in which a model keeps weights; raises ValueError for bytes that are not a
    model.
    """
    found: list[str] = []
    for number, span in _fields(data, (0, len(data))):
        if number == GRAPH:
            found += _of_graph(data, span)
        elif number == FUNCTIONS:
            nodes = (node for n, node in _fields(data, span) if n == FUNCTION_NODES)
            found += [name for node in nodes for name in _of_node(data, node)]
    return list(dict.fromkeys(found))


def _of_graph(data: bytes, graph: Span) -> Iterator[str]:
    for number, span in _fields(data, graph):
        if number == NODES:
            yield from _of_node(data, span)
        elif number == INITIALIZERS:
            yield from _of_tensor(data, span)
        elif number == SPARSE:
            yield from _of_sparse(data, span)


def _of_node(data: bytes, node: Span) -> Iterator[str]:
    for number, attribute in _fields(data, node):
        for kind, span in _fields(data, attribute) if number == ATTRIBUTES else ():
            if kind in (TENSOR, TENSORS):
                yield from _of_tensor(data, span)
            elif kind in (SUBGRAPH, SUBGRAPHS):
                yield from _of_graph(data, span)
            elif kind in (SPARSE_TENSOR, SPARSE_TENSORS):
                yield from _of_sparse(data, span)


def _of_sparse(data: bytes, sparse: Span) -> Iterator[str]:
    for number, span in _fields(data, sparse):
        if number in (VALUES, INDICES):
            yield from _of_tensor(data, span)


def _of_tensor(data: bytes, tensor: Span) -> Iterator[str]:
    for number, span in _fields(data, tensor):
        if number == EXTERNAL:
            pair = {n: data[slice(*s)].decode("utf-8", "replace") for n, s in _fields(data, span)}
            if pair.get(1) == "location":
                yield pair.get(2, "")


def _fields(data: bytes, span: Span) -> Iterator[tuple[int, Span]]:
    """The number and content of each length-delimited field; other fields are skipped."""
    position, end = span
    while position < end:
        key, position = _varint(data, position, end)
        number, wire = key >> 3, key & 7
        if wire == 0:
            _, position = _varint(data, position, end)
            continue
        length = {1: 8, 5: 4}.get(wire, -1)
        if wire == 2:
            length, position = _varint(data, position, end)
        if length < 0 or position + length > end:
            raise ValueError("not a protocol buffer")
        if wire == 2:
            yield number, (position, position + length)
        position += length


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("not a protocol buffer")
