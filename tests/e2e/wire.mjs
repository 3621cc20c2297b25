// What programs send that speak protobuf and snappy, written by hand: enough of both to say what a test means.

const varint = (value) => {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
};

const tag = (field, type) => varint((field << 3) | type);

/** The fields of a protobuf message. */
export const pb = {
  int: (field, value) => Buffer.concat([tag(field, 0), varint(value)]),
  fixed64: (field, value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return Buffer.concat([tag(field, 1), bytes]);
  },
  double: (field, value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return Buffer.concat([tag(field, 1), bytes]);
  },
  bytes: (field, value) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([tag(field, 2), varint(bytes.length), bytes]);
  },
  message: (field, ...parts) => pb.bytes(field, Buffer.concat(parts)),
};

/** Snappy's block format without any compression: a length, and literals. */
export function snappy(bytes) {
  const parts = [varint(bytes.length)];
  for (let at = 0; at < bytes.length; at += 60) {
    const literal = bytes.subarray(at, at + 60);
    parts.push(Buffer.from([(literal.length - 1) << 2]), literal);
  }
  return Buffer.concat(parts);
}

/** A `PushRequest` of Loki: `[{ labels, entries: [{ ns, line, metadata }] }]`. */
export function lokiPush(streams) {
  const pair = ([name, value]) => pb.message(3, pb.bytes(1, name), pb.bytes(2, value));
  const time = (ns) => pb.message(1, pb.int(1, BigInt(ns) / 1_000_000_000n), pb.int(2, BigInt(ns) % 1_000_000_000n));
  const entry = ({ ns, line, metadata = {} }) => pb.message(2, time(ns), pb.bytes(2, line), ...Object.entries(metadata).map(pair));
  return snappy(Buffer.concat(streams.map(({ labels, entries }) => pb.message(1, pb.bytes(1, labels), ...entries.map(entry)))));
}

function anyValue(value) {
  if (typeof value === "string") return pb.bytes(1, value);
  if (typeof value === "boolean") return pb.int(2, value ? 1 : 0);
  if (Number.isInteger(value)) return pb.int(3, value);
  if (typeof value === "number") return pb.double(4, value);
  if (Array.isArray(value)) return pb.message(5, ...value.map((one) => pb.message(1, anyValue(one))));
  return pb.message(6, ...attributes(1, value));
}

const attributes = (field, all) => Object.entries(all).map(([key, value]) => pb.message(field, pb.bytes(1, key), pb.message(2, anyValue(value))));

/** An `ExportLogsServiceRequest` of one resource and scope. */
export function otlpLogs({ resource, scope, records }) {
  const record = ({ ns, severity, severityText, body, attributes: own = {}, traceId, spanId }) =>
    pb.message(
      2,
      ...(ns ? [pb.fixed64(1, ns)] : []),
      ...(severity ? [pb.int(2, severity)] : []),
      ...(severityText ? [pb.bytes(3, severityText)] : []),
      ...(body === undefined ? [] : [pb.message(5, anyValue(body))]),
      ...attributes(6, own),
      ...(traceId ? [pb.bytes(9, Buffer.from(traceId, "hex"))] : []),
      ...(spanId ? [pb.bytes(10, Buffer.from(spanId, "hex"))] : []),
    );
  return pb.message(1, pb.message(1, ...attributes(1, resource)), pb.message(2, pb.message(1, pb.bytes(1, scope)), ...records.map(record)));
}

/** The same as JSON. */
export function otlpJson({ resource, scope, records }) {
  const any = (value) => {
    if (typeof value === "string") return { stringValue: value };
    if (typeof value === "boolean") return { boolValue: value };
    if (Number.isInteger(value)) return { intValue: `${value}` };
    if (typeof value === "number") return { doubleValue: value };
    if (Array.isArray(value)) return { arrayValue: { values: value.map(any) } };
    return { kvlistValue: { values: list(value) } };
  };
  const list = (all) => Object.entries(all).map(([key, value]) => ({ key, value: any(value) }));
  const record = ({ ns, severity, severityText, body, attributes: own = {}, traceId, spanId }) => ({
    ...(ns ? { timeUnixNano: `${ns}` } : {}),
    ...(severity ? { severityNumber: severity } : {}),
    ...(severityText ? { severityText } : {}),
    ...(body === undefined ? {} : { body: any(body) }),
    attributes: list(own),
    ...(traceId ? { traceId: traceId.toUpperCase() } : {}),
    ...(spanId ? { spanId } : {}),
  });
  return { resourceLogs: [{ resource: { attributes: list(resource) }, scopeLogs: [{ scope: { name: scope }, logRecords: records.map(record) }] }] };
}
