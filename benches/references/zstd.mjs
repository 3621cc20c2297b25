// All lines as one zstd stream: the whole file's repetition is in reach, and nothing can be found in it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { which } from "../../scripts/run.mjs";

/** Undefined where there is neither a Node.js with zstd nor a program of that name. */
export async function measureZstd(logs) {
  const lines = Readable.from(bodies(logs));
  let bytes = 0;
  const count = async (compressed) => {
    for await (const chunk of compressed) bytes += chunk.length;
  };
  if (zlib.createZstdCompress) {
    await pipeline(lines, zlib.createZstdCompress(), count);
  } else if (which("zstd")) {
    const program = spawn("zstd", ["-3", "-c"], { stdio: ["pipe", "pipe", "ignore"] });
    await Promise.all([pipeline(lines, program.stdin), count(program.stdout), once(program, "close")]);
  } else {
    return undefined;
  }
  return { bytesALine: bytes / logs.facts.lines };
}

function* bodies(logs) {
  for (const { body } of logs.batches()) yield body;
}
