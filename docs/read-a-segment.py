"""Prints the rows of a segment (src/engine/block/FORMAT.md): `python3 read-a-segment.py segment.seg.gz`."""
import datetime, functools, gzip, itertools, json, os, re, struct, sys, uuid

class Chunk:
    def __init__(self, raw): self.raw, self.at = raw, 0
    def take(self, count):
        self.at += count
        return self.raw[self.at - count:self.at]
    def varint(self):
        byte = self.take(1)[0]
        return byte if byte < 128 else (byte & 127) + (self.varint() << 7)
    def planes(self, width, count):
        planes = self.take(width * count)
        return [planes[nth::count] for nth in range(count)] if width else [b""] * count
    def ints(self, count):
        mode, first = self.take(1)[0], self.varint()
        zigzag = self.varint() if mode == 1 else 0
        numbers = [int.from_bytes(b, "little") for b in self.planes(self.take(1)[0], max(count - mode, 0))]
        if mode == 0: return [first + number for number in numbers]
        add = lambda sum, number: (sum + number + (zigzag >> 1 ^ -(zigzag & 1))) % 2**64
        return list(itertools.accumulate(numbers, add, initial=first))
    def times(self, count):
        unit = self.varint()
        return [number * unit for number in self.ints(count)]
    def ids(self, count):
        requests = [[int.from_bytes(b, "big") << 20, 0] for b in self.planes(14, self.varint())]
        for which, step in zip(self.ints(count), self.ints(count)):
            counter = (requests[which][1] + step) % 2**20
            requests[which][1] = counter + 1
            yield requests[which][0] + counter
    def own(self, var, count):  # the values of a variable, and which of them each row has
        if var[0] in "dzi": return self.ints(count), range(count)
        if var in "wr": return [self.take(length).decode() for length in self.ints(count)], range(count)
        values = self.planes((digits(var) + 1) // 2, self.varint() if (distinct := self.take(1)[0]) else count)
        return [value.hex()[:digits(var)] for value in values], self.ints(count) if distinct else range(count)

def digits(var): return 32 if var == "u" else ord(var[1]) - 48
def show(var, value):
    if var == "i": return ".".join(map(str, struct.pack(">I", value)))
    return str(uuid.UUID(value)) if var == "u" else str(value).zfill(digits(var)) if var[0] == "z" else str(value)
def show_time(ns):
    second = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    width = next(width for width in (0, 3, 6, 9) if ns % 10**(9 - width) == 0)
    return second + f".{ns % 10**9:09}"[:width and width + 1] + "Z"

def lines(segment, footer, meta):
    used, count = {column["column"]: column["templates"] for column in meta["columns"]}, meta["rows"]
    lengths = [column.get(part, 0) for part in ("numbers", "variables") for column in meta["columns"]]
    at, chunks = meta["offset"], []
    for length in meta["heads"] + lengths:
        chunks.append(gzip.decompress(segment[at:at + length]) if length else b"")
        at += length
    shapes = Chunk(chunks[3]).ints(count) if chunks[3] else [0] * count
    numbers, variables_of = dict(zip(used, chunks[4:])), dict(zip(used, chunks[4 + len(used):]))
    @functools.lru_cache(None)
    def templates(column):  # of each its texts, the variables between them, its rows, the variables' values
        rows = [row for row, shape in enumerate(shapes) if column in footer["shapes"][shape]]
        tids, chunk, found = numbers[column] or bytes(count), Chunk(variables_of[column]), []
        for template, _ in used[column]:
            parts = re.split("\x01([duiwr]|[zx].)", footer["columns"][column]["templates"][template])
            found.append(([text.replace("\x01=", "\x01") for text in parts[::2]], parts[1::2], [], []))
        for nth, row in enumerate(rows):
            found[tids[nth] + (tids[nth + len(rows)] << 8 if len(found) > 256 else 0)][2].append(row)
        for _, names, rows, values in found: values.extend(variable(chunk, name, rows) for name in names)
        return found
    def variable(chunk, var, rows):
        kind = chunk.take(1)[0]
        if kind == 0: return chunk.own(var, len(rows))
        _, _, their_rows, [(values, which)] = templates(chunk.varint())[0]
        which, at = dict(zip(their_rows, which)), chunk.varint() if kind == 1 else 0
        if kind == 1: return [v[at:at + digits(var)] if var[0] in "xu" else v for v in values], [which[r] for r in rows]
        nth_of = {entry: nth for nth, entry in enumerate(sorted({which[row] for row in rows}))}
        values, of_each = chunk.own(var, len(nth_of))
        return values, [of_each[nth_of[which[row]]] for row in rows]
    cells, text = {}, lambda value: json.dumps(value, ensure_ascii=False)
    for column in used:
        quoted = text if footer["columns"][column]["kind"] == "text" else str
        for texts, names, rows, values in templates(column):
            for nth, row in enumerate(rows):
                shown = [show(name, of[which[nth]]) for name, (of, which) in zip(names, values)]
                cells[column, row] = quoted("".join(map("".join, zip(texts, shown + [""]))))
    ids, times = list(Chunk(chunks[1]).ids(count)), Chunk(chunks[0]).times(count)
    received = Chunk(chunks[2]).times(count) if chunks[2] else [(id >> 80) * 10**6 for id in ids]
    for row, (id, *both) in enumerate(zip(ids, times, received)):
        line, above = '{"id":"%s","timestamp":"%s","received_at":"%s"' % (uuid.UUID(int=id), *map(show_time, both)), []
        for column in footer["shapes"][shapes[row]]:
            *path, name = footer["columns"][column]["path"]
            shared = len(os.path.commonprefix([path, above]))
            line += "}" * (len(above) - shared) + "," + "".join(text(key) + ":{" for key in path[shared:])
            line, above = line + text(name) + ":" + cells[column, row], path
        yield line + "}" * (len(above) + 1) + "\n"

segment = open(sys.argv[1], "rb").read()
offset, length = struct.unpack("<QI", segment[-26:-14])
footer = json.loads(gzip.decompress(segment[offset:offset + length]))
if footer["version"] > 2: sys.exit(f"this reads versions 1 and 2, not {footer['version']}")
for meta in footer["blocks"]:
    if "heads" in meta: sys.stdout.buffer.writelines(line.encode() for line in lines(segment, footer, meta))
    else: sys.stdout.buffer.write(gzip.decompress(segment[meta["offset"]:meta["offset"] + meta["length"]]))
