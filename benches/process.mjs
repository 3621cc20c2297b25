// What a process has used, from Linux's /proc. Elsewhere every figure is undefined.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const TICKS_A_SECOND = existsSync("/proc/self/stat") ? Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" })) : 0;

/** The workerd processes that this one started. */
export function workerds() {
  if (TICKS_A_SECOND === 0) return [];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter(isOwnWorkerd);
}

function isOwnWorkerd(pid) {
  const [name, fields] = stat(pid);
  return name === "workerd" && Number(fields[1]) === process.pid && fields[0] !== "Z";
}

/** The CPU seconds that the processes have used, user and system. */
export function cpuSeconds(pids) {
  if (TICKS_A_SECOND === 0) return undefined;
  return pids.reduce((sum, pid) => sum + (Number(stat(pid)[1][11]) + Number(stat(pid)[1][12])) / TICKS_A_SECOND, 0);
}

/** `{ now, peak }` of resident memory, in bytes; the peak since `forgetPeak`. */
export function memory(pids) {
  if (pids.length === 0) return undefined;
  const sum = (field) => pids.reduce((total, pid) => total + Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024, 0);
  return { now: sum("VmRSS"), peak: sum("VmHWM") };
}

/** Makes the peak of resident memory what it is now. */
export function forgetPeak(pids) {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The name of a process and its fields in /proc/…/stat from its state on. */
function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return [text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")), text.slice(text.lastIndexOf(")") + 2).split(" ")];
  } catch {
    return ["", []]; // It has ended.
  }
}
