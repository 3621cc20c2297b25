// One setup at a time on this machine. Nothing depends on it for correctness: every step builds in a directory of its
// own and renames it into place at the end. The lock only keeps two runs from doing the same long work twice.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { say } from "./run.mjs";

const HEARTBEAT_MS = 2_000;
const STALE_MS = 30_000;

/** Runs `work` while holding the lock directory `path`. */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  for (let waited = 0; !take(path); waited += 1) {
    if (waited === 4) say(`waiting for another run to finish (${path})`);
    if (isStale(path)) breakLock(path);
    else await new Promise((wake) => setTimeout(wake, 500));
  }
  const beat = setInterval(() => touch(path), HEARTBEAT_MS);
  const release = () => {
    clearInterval(beat);
    rmSync(path, { recursive: true, force: true });
  };
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.removeListener("exit", release);
    release();
  }
}

function take(path) {
  try {
    mkdirSync(path);
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
  writeFileSync(join(path, "owner"), `${hostname()} ${process.pid}`);
  return true;
}

/** The owner is gone: its process has ended, or the lock has not been touched for a while. */
function isStale(path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > STALE_MS) return true;
    const [host, pid] = readFileSync(join(path, "owner"), "utf8").split(" ");
    return host === hostname() && !isAlive(Number(pid));
  } catch {
    return false; // Being taken or released at this moment.
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function breakLock(path) {
  try {
    const aside = `${path}.stale-${process.pid}`;
    renameSync(path, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch {
    // Someone else broke it first.
  }
}

function touch(path) {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Taken away while this process was suspended; the work goes on, see above.
  }
}
