// Puts the figures into docs/benchmarks.md, between its marks; what is around them is written by hand.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, StepError, say } from "../scripts/run.mjs";
import { markdown } from "./table.mjs";

const FILE = join(ROOT, "docs/benchmarks.md");
const [BEGIN, END] = ["<!-- figures -->", "<!-- end of figures -->"];

export function write(result) {
  const text = readFileSync(FILE, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new StepError(`${FILE} has no place for the figures`, `put ${BEGIN} and ${END} into it, each on a line of its own`);
  writeFileSync(FILE, `${text.slice(0, begin)}${BEGIN}\n\n${markdown(result)}\n\n${text.slice(end)}`);
  say("wrote docs/benchmarks.md");
}
