// Tokens of callers: signed by a secret or by published keys, and refused for everything that is not as it must be.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { startTimberline, until } from "./harness.mjs";
import { as, assertError, assertSameIds, call, get, makeTenant, many, store } from "./helpers.mjs";

const SECRET = "0123456789abcdef0123456789abcdef-of-the-test";
const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const seconds = (ms = 0) => Math.floor((Date.now() + ms) / 1_000);

const CLAIMS = () => ({ sub: "ann", tenant: "acme", role: "operator", iss: "https://issuer.example", aud: ["logs", "other"], exp: seconds(600_000) });

const KEYS = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2_048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};
const STRANGER = generateKeyPairSync("rsa", { modulusLength: 2_048 });

const SIGN = {
  HS256: (text, secret = SECRET) => createHmac("sha256", secret).update(text).digest(),
  HS512: (text, secret = SECRET) => createHmac("sha512", secret).update(text).digest(),
  RS256: (text, key = KEYS.RS256.privateKey) => sign("sha256", Buffer.from(text), key),
  ES256: (text, key = KEYS.ES256.privateKey) => sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }),
  EdDSA: (text, key = KEYS.EdDSA.privateKey) => sign(null, Buffer.from(text), key),
  none: () => "",
};

/** A token; `header` and `claims` change what a good one has, and `undefined` takes it away. */
function token(alg, { header = {}, claims = {}, key, by = alg } = {}) {
  const kid = alg === "HS256" || alg === "none" ? {} : { kid: `k-${alg}` };
  const text = `${base64({ alg, typ: "JWT", ...kid, ...header })}.${base64({ ...CLAIMS(), ...claims })}`;
  return `${text}.${Buffer.from(SIGN[by](text, key)).toString("base64url")}`;
}

const published = (alg, { publicKey }, more = {}) => ({ ...publicKey.export({ format: "jwk" }), kid: `k-${alg}`, alg, use: "sig", ...more });

/** A server of published keys on this machine. */
async function startKeys() {
  const state = { asked: 0, status: 200, keys: Object.entries(KEYS).map(([alg, pair]) => published(alg, pair)) };
  const server = createServer((_, response) => {
    state.asked += 1;
    response.writeHead(state.status, { "content-type": "application/json" });
    response.end(JSON.stringify({ keys: state.keys }));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  state.url = `http://127.0.0.1:${server.address().port}/jwks.json`;
  state.close = () => server.close(server.closeAllConnections());
  return state;
}

const VARS = { JWT_SECRET: SECRET, JWT_ISSUER: "https://issuer.example", JWT_AUDIENCE: "logs", RATE_LIMIT_ENABLED: "false" };

describe("a token", () => {
  let t;
  let acme;
  let jwks;
  before(async () => {
    jwks = await startKeys();
    t = await startTimberline({ vars: { ...VARS, JWT_JWKS_URL: jwks.url } });
    acme = await makeTenant(t, "acme");
  });
  after(async () => {
    jwks?.close();
    await t?.dispose();
  });

  const answer = (token, path = "/logs") => call(as(t, token), path);
  const refused = async (token, what, message) => {
    const got = await answer(token);
    assert.equal(got.status, 401, `${what}: ${JSON.stringify(got.body)}`);
    assertError(got, 401, "invalid_token");
    assert.equal(got.headers.get("www-authenticate"), "Bearer");
    if (message) assert.match(got.body.error.message, message, what);
  };

  for (const alg of ["HS256", "RS256", "ES256", "EdDSA"]) {
    test(`that ${alg} signs lets its holder in, as its claims say`, async () => {
      const ids = await store(acme, [{ service: alg, message: "of the tenant" }, { service: "other", message: "of the tenant" }]);
      await store(t, [{ service: alg, message: "of another tenant" }]);
      const found = async (claims) => (await get(as(t, token(alg, { claims })), "/logs?limit=2")).data.map(({ id }) => id);
      assertSameIds(await found({}), ids);
      assertSameIds(await found({ services: [alg] }), ids.slice(0, 1));
      assertSameIds(await found({ services: alg, role: "developer" }), ids.slice(0, 1));
      assert.deepEqual(await found({ role: "developer" }), [], "a developer without services sees none");
      assertError(await call(as(t, token(alg)), "/admin/keys"), 403, "not_allowed");
      assert.equal((await call(as(t, token(alg, { claims: { role: "admin" } })), "/admin/keys")).status, 200);
      const sent = await call(as(t, token(alg, { claims: { services: [alg] } })), "/logs", { json: { service: "other", message: "m" } });
      assertError(sent, 400, "service_not_allowed", "service");
    });
  }

  test("is refused by the algorithm that it names", async () => {
    await refused(token("none"), "none");
    await refused(token("none", { header: { alg: "None" } }), "None");
    await refused(token("HS256", { header: { alg: "none" } }), "none, signed");
    await refused(token("HS512"), "HS512");
    // The published key as a secret, in every form that somebody may take for one.
    for (const [alg, { publicKey }] of Object.entries(KEYS)) {
      const secrets = [publicKey.export({ format: "pem", type: "spki" }), publicKey.export({ format: "der", type: "spki" }), JSON.stringify(publicKey.export({ format: "jwk" }))];
      for (const key of secrets) {
        await refused(token("HS256", { header: { kid: `k-${alg}` }, key }), `HS256 by the key of ${alg}`, /signature/);
        await refused(token(alg, { by: "HS256", key }), `${alg} by HS256`, /signature/);
      }
    }
    await refused(token("ES256", { header: { kid: "k-RS256" } }), "a key of another kind");
    await refused(token("RS256", { header: { alg: "PS256" } }), "PS256");
    const inside = published("RS256", STRANGER, { kid: "k-own" });
    await refused(token("RS256", { header: { kid: "k-RS256", jwk: inside }, key: STRANGER.privateKey }), "a key of its own", /signature/);
    await refused(token("RS256", { header: { crit: ["exp"] } }), "crit", /critical/);
  });

  test("is refused when it was changed, or signed by a stranger", async () => {
    await refused(token("HS256", { key: `${SECRET}x` }), "another secret", /signature/);
    await refused(token("RS256", { key: STRANGER.privateKey }), "another key", /signature/);
    for (const alg of ["HS256", "RS256", "ES256", "EdDSA"]) {
      const [header, , signature] = token(alg).split(".");
      await refused(`${header}.${base64({ ...CLAIMS(), role: "admin" })}.${signature}`, `claims changed, ${alg}`, /signature/);
      await refused(`${token(alg).split(".").slice(0, 2).join(".")}.`, `no signature, ${alg}`, /signature/);
    }
  });

  test("is refused by its claims", async () => {
    for (const [claims, message] of [
      [{ exp: undefined }, /never expires/],
      [{ exp: seconds(-61_000) }, /expired/],
      [{ exp: 0 }, /expired/],
      [{ exp: "tomorrow" }, /"exp"/],
      [{ nbf: seconds(120_000) }, /not valid yet/],
      [{ aud: "elsewhere" }, /aud/],
      [{ aud: ["elsewhere"] }, /aud/],
      [{ aud: undefined }, /aud/],
      [{ iss: "https://other.example" }, /iss/],
      [{ iss: ["https://issuer.example"] }, /iss/],
      [{ iss: undefined }, /iss/],
      [{ tenant: undefined }, /tenant/],
      [{ tenant: "nobody" }, /tenant/],
      [{ tenant: "acme_audit" }, /tenant/],
      [{ tenant: "../acme" }, /tenant/],
      [{ tenant: 7 }, /tenant/],
      [{ role: undefined }, /role/],
      [{ role: "emperor" }, /role/],
      [{ role: "root" }, /role/],
      [{ services: [1] }, /services/],
    ]) {
      for (const alg of ["HS256", "EdDSA"]) await refused(token(alg, { claims }), JSON.stringify(claims), message);
    }
    // Clocks may be a minute apart.
    assert.equal((await answer(token("HS256", { claims: { exp: seconds(-30_000) } }))).status, 200);
    assert.equal((await answer(token("HS256", { claims: { nbf: seconds(30_000) } }))).status, 200);
  });

  test("of a subject is written down in the audit stream under its name", async () => {
    const { status } = await answer(token("HS256", { claims: { sub: "auditee" } }), "/api/v1/logs/services");
    assert.equal(status, 200);
    const data = await until(async () => {
      const page = await get(acme, "/admin/audit?user_id=token:auditee&component=read");
      return page.data.length > 0 && page.data;
    });
    assert.deepEqual(data.map(({ metadata }) => [metadata.route, metadata.role, metadata.key_name]), [["/api/v1/logs/services", "operator", "auditee"]]);
  });

  test("that no key is known for makes the keys be read again, but not more than once a minute", async () => {
    const before = jwks.asked;
    assert.equal(before, 1, "keys are read once");
    const unknown = (n) => token("EdDSA", { header: { kid: `nobody-${n}` } });
    const answers = await many(40, 8, async (n) => (await answer(unknown(n))).body.error.code);
    assert.deepEqual(new Set(answers), new Set(["invalid_token"]));
    assert.equal(jwks.asked, 1, "within a minute of the last time");
    assert.equal((await answer(token("EdDSA"))).status, 200);
  });
});

test("a server of keys that fails is not asked again at once, and nobody else is kept out by it", async (context) => {
  const jwks = await startKeys();
  context.after(() => jwks.close());
  jwks.status = 500;
  const t = await startTimberline({ vars: { ...VARS, JWT_JWKS_URL: jwks.url } });
  context.after(() => t.dispose());
  const good = token("EdDSA", { claims: { tenant: "default" } });
  const answers = await many(20, 5, async () => (await call(as(t, good), "/logs")).body.error.code);
  assert.deepEqual(new Set(answers), new Set(["unavailable"]));
  assert.equal(jwks.asked, 1);
  // The secret and the deployment's own key need no server.
  assert.equal((await call(as(t, token("HS256", { claims: { tenant: "default" } })), "/logs")).status, 200);
  assert.equal((await call(t, "/logs")).status, 200);
});

test("where only published keys are set, the secret of nobody is taken; and where only a secret is, no published key", async (context) => {
  const jwks = await startKeys();
  context.after(() => jwks.close());
  const { JWT_SECRET, ...rest } = VARS;
  for (const [vars, good, bad] of [
    [{ ...rest, JWT_JWKS_URL: jwks.url }, "ES256", "HS256"],
    [{ ...rest, JWT_SECRET }, "HS256", "ES256"],
  ]) {
    const t = await startTimberline({ vars });
    context.after(() => t.dispose());
    const claims = { tenant: "default" };
    assert.equal((await call(as(t, token(good, { claims })), "/logs")).status, 200);
    assertError(await call(as(t, token(bad, { claims })), "/logs"), 401, "invalid_token");
  }
  const none = await startTimberline();
  context.after(() => none.dispose());
  assertError(await call(as(none, token("HS256", { claims: { tenant: "default" } })), "/logs"), 403, "forbidden");
});

test("claims have the names that the deployment gives them", async (context) => {
  const t = await startTimberline({ vars: { JWT_SECRET: SECRET, JWT_TENANT_CLAIM: "https://example.com/claims.tenant", JWT_ROLE_CLAIM: "access.role", JWT_SERVICES_CLAIM: "s" } });
  context.after(() => t.dispose());
  const claims = { tenant: undefined, role: undefined, iss: undefined, aud: undefined, "https://example.com/claims": { tenant: "default" }, access: { role: "operator" }, s: ["api"] };
  await store(t, [{ service: "api", message: "m" }, { service: "web", message: "m" }]);
  assert.deepEqual((await get(as(t, token("HS256", { claims })), "/logs")).data.map(({ service }) => service), ["api"]);
  const plain = { tenant: "default", role: "operator" };
  assertError(await call(as(t, token("HS256", { claims: plain })), "/logs"), 401, "invalid_token");
});
