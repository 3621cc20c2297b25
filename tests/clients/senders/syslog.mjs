// rsyslog and syslog-ng with the configuration of docs/clients/syslog.md, fed over a socket.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { key, records, service, url } from "./records.mjs";

const UNPACKED = join(import.meta.dirname, "../.debian");
const isUnpacked = existsSync(join(UNPACKED, "usr/sbin"));
const ROOT = isUnpacked ? UNPACKED : "/";
const SEVERITIES = { info: 14, warn: 12, error: 11 };

const page = readFileSync(join(import.meta.dirname, "../../../docs/clients/syslog.md"), "utf8");
const { hostname, port } = new URL(url);
const documented = (name) =>
  page
    .split("```")
    .find((block) => block.startsWith(`\n# ${name}`))
    .replaceAll("https://logs.example.com:443", `http://${hostname}:${port}`)
    .replaceAll("https://logs.example.com", url)
    .replaceAll("KEY", key);

const state = mkdtempSync(join(tmpdir(), "syslog-"));
const [socket, config] = [join(state, "socket"), join(state, "config")];
const DAEMONS = {
  rsyslog: {
    config: `module(load="imptcp")\n${documented("rsyslog")}\ninput(type="imptcp" path="${socket}")\n`,
    run: ["usr/sbin/rsyslogd", "-n", "-f", config, "-i", join(state, "pid"), ...(isUnpacked ? ["-M", join(ROOT, "usr/lib/x86_64-linux-gnu/rsyslog")] : [])],
  },
  "syslog-ng": {
    config: `@version: 3.38\nsource s_socket { unix-stream("${socket}" flags(syslog-protocol)); };\n${documented("syslog-ng")}\nlog { source(s_socket); destination(d_timberline); };\n`,
    run: ["usr/sbin/syslog-ng", "-F", "-f", config, "-R", join(state, "persist"), "-p", join(state, "pid"), "-c", join(state, "control"), ...(isUnpacked ? ["--module-path", join(ROOT, "usr/lib/syslog-ng/3.38")] : [])],
  },
};

const daemon = DAEMONS[process.argv[2]];
writeFileSync(config, daemon.config);
const libraries = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/syslog-ng", "usr/lib/syslog-ng/3.38"].map((path) => join(ROOT, path)).join(":");
const child = spawn(join(ROOT, daemon.run[0]), daemon.run.slice(1), { env: isUnpacked ? { ...process.env, LD_LIBRARY_PATH: libraries } : process.env, stdio: "inherit" });
let ended = false;
const end = new Promise((done) => child.on("exit", done)).then(() => (ended = true));

async function until(what, probe) {
  for (const limit = Date.now() + 60_000; Date.now() < limit && !ended; await sleep(100)) if (await probe()) return;
  throw new Error(`${what}: not in 60 seconds`);
}

async function stored() {
  const answer = await fetch(`${url}/api/v1/logs/stats/${service}`, { headers: { authorization: `Bearer ${key}` } });
  return (await answer.json()).total ?? 0;
}

try {
  await until("a socket", () => existsSync(socket));
  const lines = records.map(({ message, level, ms }) => `<${SEVERITIES[level]}>1 ${new Date(ms).toISOString()} client ${service} - - - ${message}\n`);
  createConnection(socket).end(lines.join(""));
  await until("all records", async () => (await stored()) >= records.length);
} finally {
  child.kill("SIGTERM");
  await end;
  rmSync(state, { recursive: true, force: true });
}
