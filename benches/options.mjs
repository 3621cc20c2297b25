// What the command line asks for.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { StepError } from "../scripts/run.mjs";

/** The parts of a run, in their order. */
export const PARTS = ["engine", "ingest", "raw", "query", "export", "fresh", "lone", "protocols", "references"];

const USAGE = `npm run bench -- [options]
  --lines 1000000            how many logs
  --reference-lines 100000   how many of them the references get that are asked, too
  --file logs.ndjson         an NDJSON file instead of generated logs
  --seed 1                   of the generated logs
  --word timeout             a word that some of a hundred logs have
  --only part,part           some of ${PARTS.join(", ")}
  --json out.json            the figures as JSON
  --write                    the figures into docs/benchmarks.md`;

/** Reads the arguments; throws a StepError about those that make no sense. */
export function readOptions(args) {
  const { values } = parsed(args);
  const only = values.only?.split(",") ?? PARTS;
  const unknown = only.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new StepError(`there is no part ${JSON.stringify(unknown)}`, USAGE);
  if (values.write && values.only) throw new StepError("--write wants a whole run", USAGE);
  if (values.file && !existsSync(values.file)) throw new StepError(`there is no file ${values.file}`, USAGE);
  return {
    ...values,
    only: new Set(only),
    lines: whole("lines", values.lines, 1_000),
    seed: whole("seed", values.seed, 0),
    referenceLines: whole("reference-lines", values["reference-lines"], 1_000),
  };
}

function parsed(args) {
  const options = {
    lines: { type: "string", default: "1000000" },
    file: { type: "string" },
    seed: { type: "string", default: "1" },
    word: { type: "string", default: "timeout" },
    "reference-lines": { type: "string", default: "100000" },
    only: { type: "string" },
    json: { type: "string" },
    write: { type: "boolean", default: false },
  };
  try {
    return parseArgs({ args, options });
  } catch (error) {
    throw new StepError(error.message, USAGE);
  }
}

function whole(name, text, least) {
  const value = Number(text.replaceAll("_", ""));
  if (!Number.isInteger(value) || value < least) throw new StepError(`--${name} ${text}: a whole number from ${least} on is expected`, USAGE);
  return value;
}
