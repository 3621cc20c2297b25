// A Rust that compiles to wasm32-unknown-unknown, found or made without changing the system's own:
// 1. the rustc on PATH, when its target is installed;  2. the same after `rustup target add`;
// 3. Debian's rustc-web, with a standard library built from rust-web-src into a private sysroot in the cache.
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { CACHE, ROOT, StepError, must, run, say, step, which } from "./run.mjs";

const TARGET = "wasm32-unknown-unknown";
const DEBIAN_PACKAGES = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", "lld"];
/** A rustup server that could not be reached is not asked again for this long. */
const RETRY_RUSTUP_MS = 24 * 60 * 60 * 1000;
/** Raised when the layout of the private sysroot changes. */
const SYSROOT_FORMAT = 1;

/** `{ name, env }`: what the toolchain is called and the variables that select it. */
export async function wasmRust() {
  if (await installed()) return { name: "rustc on PATH", env: {} };
  if (await addWithRustup()) return { name: "rustup", env: {} };
  return debianRust();
}

async function installed() {
  if (!which("rustc") || !(await recentEnough("rustc"))) return false;
  const { code, output } = await run("rustc", ["--print", "target-libdir", "--target", TARGET]);
  const dir = output.trim();
  return code === 0 && existsSync(dir) && readdirSync(dir).some((file) => /^libcore-.*\.rlib$/.test(file));
}

/** Whether this rustc is at least the rust-version of Cargo.toml. */
export async function recentEnough(rustc) {
  const wanted = Number(/^rust-version = "1\.(\d+)/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8"))?.[1] ?? 0);
  const { output } = await run(rustc, ["--version"]);
  return Number(/^rustc 1\.(\d+)/m.exec(output)?.[1] ?? -1) >= wanted;
}

/** Tries rustup, and gives up when nothing has been downloaded for 20 s. */
async function addWithRustup() {
  if (!which("rustup") || !which("rustc") || !(await recentEnough("rustc"))) return false;
  const unreachable = join(CACHE, "rustup-unreachable");
  if (existsSync(unreachable) && Date.now() - statSync(unreachable).mtimeMs < RETRY_RUSTUP_MS) return false;
  say(`adding the ${TARGET} target with rustup (at most 20 s if its server cannot be reached) …`);
  const { code, output } = await run("rustup", ["target", "add", TARGET], {
    limitMs: 20_000,
    progress: () => ["downloads", "tmp"].map((dir) => bytesIn(join(process.env.RUSTUP_HOME || join(homedir(), ".rustup"), dir))).join(),
  });
  if (code === 0 && (await installed())) return true;
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(unreachable, output);
  say("  rustup could not add it (remembered for a day); using Debian's packages instead");
  return false;
}

function bytesIn(dir) {
  try {
    return readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  } catch {
    return 0;
  }
}

async function debianRust() {
  await installDebianPackages();
  if (!(await recentEnough("/usr/bin/rustc"))) {
    throw new StepError("Debian's rustc-web is older than the rust-version in Cargo.toml", "apt-get update && apt-get upgrade, or let rustup reach static.rust-lang.org");
  }
  const version = (await must("dpkg-query", ["-W", "-f=${Version}", "rustc-web"])).trim();
  const dir = join(CACHE, `rust-${version.replace(/[^\w.+-]/g, "_")}-${SYSROOT_FORMAT}`);
  if (!existsSync(dir)) {
    await step(`building Rust's standard library for ${TARGET}`, "once, about a minute", () => buildSysroot(dir));
  }
  const linker = await findLinker();
  return {
    name: `Debian's rustc-web ${version}`,
    env: {
      PATH: [join(dir, "bin"), process.env.PATH].join(delimiter),
      SYSROOT: join(dir, "sysroot"), // clippy-driver looks here; rustc gets it from the wrapper.
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker,
    },
  };
}

async function installDebianPackages() {
  const { output } = await run("dpkg-query", ["-W", "-f=${Package} ${db:Status-Status}\n", ...DEBIAN_PACKAGES]);
  const missing = DEBIAN_PACKAGES.filter((name) => !output.includes(`${name} installed`));
  if (missing.length === 0) return;
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  const hint = `as root: ${command}\n  or, where rustup's server can be reached: rustup target add ${TARGET}`;
  if (!which("apt-get")) throw new StepError(`the ${TARGET} target is missing`, `install Rust from https://rustup.rs, then: rustup target add ${TARGET}`);
  const sudo = process.getuid() === 0 ? [] : ["sudo", "-n"];
  if (sudo.length > 0 && (await run("sudo", ["-n", "true"])).code !== 0) {
    throw new StepError(`the ${TARGET} target is missing, and installing packages needs root`, hint);
  }
  await step(`installing ${missing.join(", ")} with apt-get`, "about a minute, 150 MB", async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const apt = (...args) => must([...sudo, "apt-get"][0], [...sudo, "apt-get", ...args].slice(1), { env, hint });
    await apt("update", "-q");
    // Debian's rustc-web takes the place of Debian's rustc; removing something is the owner's decision.
    await apt("install", "-y", "-q", "--no-install-recommends", "--no-remove", ...missing);
  });
}

/** Compiles std, then lays out a sysroot: wasm libraries of our own, the host's by link (proc macros need them). */
async function buildSysroot(dir) {
  const work = `${dir}.tmp-${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  const source = "/usr/lib/rustlib/src/rust";
  const write = (path, text) => {
    mkdirSync(join(work, path, ".."), { recursive: true });
    writeFileSync(join(work, path), text);
  };
  write("std/Cargo.toml", '[package]\nname = "std-for-wasm"\nversion = "0.0.0"\nedition = "2024"\n[profile.release]\npanic = "abort"\ncodegen-units = 1\n[workspace]\n');
  write("std/src/lib.rs", "#![no_std]\n");
  write("std/.cargo/config.toml", `[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "${source}/library/vendor"\n`);
  await must("/usr/bin/cargo", ["build", "--release", "-Z", "build-std=std,panic_abort", "--target", TARGET], {
    cwd: join(work, "std"),
    // Bitcode in the libraries is what lets LTO reach into them.
    env: { ...process.env, RUSTC: "/usr/bin/rustc", RUSTC_BOOTSTRAP: "1", RUSTFLAGS: "-Cembed-bitcode=yes", CARGO_TARGET_DIR: join(work, "std/target") },
    hint: `check that ${source}/library is complete: apt-get install --reinstall rust-web-src`,
  });
  const lib = join(work, "sysroot/lib/rustlib", TARGET, "lib");
  mkdirSync(lib, { recursive: true });
  const built = join(work, "std/target", TARGET, "release/deps");
  for (const file of readdirSync(built).filter((name) => /\.r(lib|meta)$/.test(name) && !name.startsWith("libstd_for_wasm"))) {
    renameSync(join(built, file), join(lib, file));
  }
  const host = /^host: (.*)$/m.exec(await must("/usr/bin/rustc", ["-vV"]))[1];
  symlinkSync(`/usr/lib/rustlib/${host}`, join(work, "sysroot/lib/rustlib", host));
  // The directory is renamed into place at the end, so the wrapper names its final path.
  write("bin/rustc", `#!/bin/sh\nexec /usr/bin/rustc --sysroot '${dir}/sysroot' "$@"\n`);
  chmodSync(join(work, "bin/rustc"), 0o755);
  for (const tool of ["cargo", "cargo-clippy", "clippy-driver"]) symlinkSync(`/usr/bin/${tool}`, join(work, "bin", tool));
  rmSync(join(work, "std"), { recursive: true });
  try {
    renameSync(work, dir);
  } catch (error) {
    if (!existsSync(dir)) throw error; // Otherwise another run was first, with the same result.
    rmSync(work, { recursive: true });
  }
}

/** rustup's rust-lld matches the compiler's LLVM better than Debian 12's lld 14, so it is taken where there is one. */
async function findLinker() {
  if (which("rustup")) {
    const { code, output } = await run("rustc", ["--print", "target-libdir"]);
    const lld = join(output.trim(), "../bin/rust-lld");
    if (code === 0 && existsSync(lld)) return lld;
  }
  const lld = which("wasm-ld") ?? which("rust-lld");
  if (!lld) throw new StepError("no linker for wasm", "as root: apt-get install lld");
  return lld;
}
