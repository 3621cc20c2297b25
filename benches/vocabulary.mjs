// What the generated logs talk about: twelve services of a ticket shop, with what each writes at each level.
// `{…}` is filled in by generate.mjs. `share` is how many of a thousand lines come from the service.

const MIX = { INFO: 826, DEBUG: 86, WARN: 64, ERROR: 22, CRITICAL: 2 };

export const REGIONS = ["eu-central-1", "us-west-2", "ap-northeast-1"];

/** The paths of requests, the frequent ones more than once. `{id}` is the request's own. */
export const PATHS = [
  "/api/v2/events/{id}", "/api/v2/events/{id}", "/api/v2/events/{id}", "/api/v2/events", "/api/v2/seats/{id}", "/api/v2/seats/{id}",
  "/api/v2/baskets/{id}", "/api/v2/baskets", "/api/v2/bookings/{id}", "/api/v2/bookings", "/api/v2/venues/{id}", "/api/v2/search", "/api/v2/me", "/readyz",
];

export const SERVICES = [
  {
    name: "edge-router", share: 250, components: ["listener", "balancer", "headers", "throttle"], pods: 4, version: "5.3.1", mix: MIX,
    says: {
      INFO: ["{method} answered with {status} in {ms}ms", "{method} answered with {status} in {ms}ms", "passed to backend after {ms}ms", "passed to backend after {ms}ms", "quota left for client: {n} percent"],
      DEBUG: ["picked backend number {n} of the ring", "{n} idle sockets kept for reuse", "tls session resumed in {ms}ms"],
      WARN: ["client went away, status={bad}", "backend timeout after {slow}ms, trying another", "quota of client exhausted, status=429"],
      ERROR: ["no backend answered, status={broken} after {slow}ms", "timeout while reading the head of the answer"],
      CRITICAL: ["every backend of the ring is marked down"],
    },
  },
  {
    name: "login-service", share: 115, components: ["password", "sessions", "tokens"], pods: 3, version: "2.0.14", mix: MIX,
    says: {
      INFO: ["signed in after {ms}ms", "signed in after {ms}ms", "token {id} refreshed", "token {id} refreshed in {ms}ms"],
      DEBUG: ["token {id} found in memory", "hash computed in {ms}ms"],
      WARN: ["wrong password, status=401", "token {id} expires in {n} seconds", "directory lookup timeout after {slow}ms"],
      ERROR: ["directory unreachable, status={broken}", "signature of token {id} does not verify"],
      CRITICAL: ["signing key {hex8} is missing"],
    },
  },
  {
    name: "seat-allocator", share: 120, components: ["holds", "maps", "sweeper"], pods: 3, version: "4.1.0", mix: MIX,
    says: {
      INFO: ["holding {n} seats of event {id}", "holding {n} seats of event {id}", "seat map {id} drawn in {ms}ms", "released {n} seats whose hold ran out"],
      DEBUG: ["row {n} scanned for neighbours", "seat map {id} taken from memory"],
      WARN: ["only {n} seats left for event {id}", "hold refused, status=409", "hold timeout for event {id}"],
      ERROR: ["seat {id} was sold twice, second sale undone", "lock on event {id} lost after {slow}ms"],
      CRITICAL: ["seat ledger of event {id} does not add up"],
    },
  },
  {
    name: "event-catalogue", share: 90, components: ["listing", "detail", "images"], pods: 3, version: "3.22.5", mix: MIX,
    says: {
      INFO: ["event {id} shown in {ms}ms", "event {id} shown in {ms}ms", "{n} events listed in {ms}ms"],
      DEBUG: ["poster {hex8} scaled to {n} percent", "event {id} came from the near cache"],
      WARN: ["event {id} has no poster", "slow listing: {slow}ms for {k} events"],
      ERROR: ["event {id} cannot be parsed at byte {k}", "image store timeout, status={broken}"],
      CRITICAL: ["listing is empty for every venue"],
    },
  },
  {
    name: "customer-profile", share: 70, components: ["reader", "writer", "consent"], pods: 2, version: "1.9.2", mix: MIX,
    says: {
      INFO: ["customer {id} loaded in {ms}ms", "customer {id} loaded in {ms}ms", "address of customer {id} changed"],
      DEBUG: ["select on customers gave {n} rows in {ms}ms", "consent version {n} still valid"],
      WARN: ["customer {id} unknown, status=404", "replica lags {slow}ms behind"],
      ERROR: ["deadlock on customers, attempt {n}", "writer timeout after {slow}ms"],
      CRITICAL: ["customers table is read-only"],
    },
  },
  {
    name: "search-index", share: 60, components: ["planner", "ranker", "merge"], pods: 2, version: "7.0.3", mix: MIX,
    says: {
      INFO: ["{k} matches ranked in {ms}ms", "{k} matches ranked in {ms}ms", "index generation {k} published"],
      DEBUG: ["{n} terms after stemming", "merged {n} parts in {ms}ms"],
      WARN: ["query cut to {n} terms", "ranking timeout, unranked matches returned"],
      ERROR: ["part {hex8} has a bad checksum", "planner gave up, status={broken}"],
      CRITICAL: ["no generation of the index can be opened"],
    },
  },
  {
    name: "booking-service", share: 60, components: ["steps", "outbox", "numbers"], pods: 3, version: "6.4.8", mix: MIX,
    says: {
      INFO: ["booking {id} confirmed in {ms}ms", "booking {id} is now PAID", "booking {id} is now ISSUED", "{n} messages left the outbox"],
      DEBUG: ["step {n} of booking {id} begun", "booking number {id} drawn"],
      WARN: ["booking {id} waits for payment since {slow}ms", "step {n} of booking {id} repeated after a timeout"],
      ERROR: ["booking {id} rolled back at step {n}", "outbox stuck at message {k}"],
      CRITICAL: ["booking numbers have run out"],
    },
  },
  {
    name: "payment-bridge", share: 45, components: ["capture", "refund", "fraud"], pods: 2, version: "2.7.7", mix: MIX,
    says: {
      INFO: ["charged booking {id} in {ms}ms", "charged booking {id} in {ms}ms", "gave back {k} cents for booking {id}"],
      DEBUG: ["risk of booking {id} is {n} percent", "acquirer {n} chosen"],
      WARN: ["card declined, status=402", "acquirer timeout after {slow}ms, will ask again"],
      ERROR: ["acquirer answered {broken} for booking {id}", "amount of booking {id} differs by {n} cents"],
      CRITICAL: ["ledger and acquirer disagree since batch {k}"],
    },
  },
  {
    name: "mail-sender", share: 40, components: ["templates", "queue", "smtp"], pods: 2, version: "1.1.30", mix: MIX,
    says: {
      INFO: ["ticket mail {id} handed over in {ms}ms", "mail {id} enqueued", "mail {id} enqueued"],
      DEBUG: ["template {n} rendered in {ms}ms", "{k} mails wait"],
      WARN: ["mail {id} deferred by the other side", "smtp timeout, mail {id} stays in the queue"],
      ERROR: ["mail {id} bounced with code 55{d}", "template {n} names an unknown field"],
      CRITICAL: ["sender address is on a block list"],
    },
  },
  {
    name: "postgres-main", share: 50, components: ["checkpointer", "autovacuum", "backend", "walwriter"], daemon: true, mix: { INFO: 900, DEBUG: 40, WARN: 40, ERROR: 20 },
    says: {
      INFO: [
        "checkpoint starting: wal time {n}", "checkpoint done: {k} buffers in {secs} s, sync {secs} s, distance {big} kB", "connection authorised: host={ip} port={port} application=pool-{n}",
        "connection closed: session time {secs} s host={ip} port={port}", "vacuum of shop.public.{table}: {k} pages left, {big} row versions gone, elapsed {secs} s",
        "temporary file: path base/pgsql_tmp/pgsql_tmp{port}.{n}, size {big}", "analysed shop.public.{table}: cpu {secs} s, elapsed {secs} s",
      ],
      DEBUG: ["transaction {big} assigned to backend {port}", "snapshot {hex8}-{n} exported"],
      WARN: ["backend {port} still waits for a share lock on transaction {big} after {slow} ms", "statement timeout: cancelled after {slow} ms"],
      ERROR: ["duplicate key breaks unique constraint {table}_pkey, key (id)=({big})", "canceling autovacuum of shop.public.{table}"],
    },
  },
  {
    name: "stream-broker", share: 45, components: ["replica", "log-cleaner", "controller", "group-coordinator"], daemon: true, mix: { INFO: 920, DEBUG: 40, WARN: 30, ERROR: 10 },
    says: {
      INFO: [
        "partition {table}-{n}: rolled new file at offset {big} in {ms} ms", "group {table}-readers: member {hex12} joined, generation {k}", "partition {table}-{n}: in-sync set shrunk to {d},{d}",
        "cleaned {table}-{n}: {secs} MB of {secs} MB kept, dirty part {n} percent", "elected broker {d} for {k} partitions", "deleted file {big} of {table}-{n}, past its age",
      ],
      DEBUG: ["fetch session {big} holds {k} partitions", "throttled {ip} for {ms} ms"],
      WARN: ["connection from {ip} ended while {k} bytes were due", "request timeout: fetch from broker {d}, correlation {big}"],
      ERROR: ["partition {table}-{n}: offset {big} is out of range", "cannot append to {table}-{n}: fewer than {d} replicas"],
    },
  },
  {
    name: "node-agent", share: 55, components: ["kubelet", "kernel", "cni", "disk"], daemon: true, mix: { INFO: 930, DEBUG: 30, WARN: 30, ERROR: 8, CRITICAL: 2 },
    says: {
      INFO: [
        "container {hex12} started, image shop/{table}@sha256:{hex12}", "container {hex12} ended with code {d}", "probe of pod {table}-{hex8} passed in {ms} ms", "eth0: {big} bytes in, {big} bytes out, {n} dropped",
        "address {ip} given to pod {table}-{hex8}", "/dev/nvme{d}n1: {n} percent used, {k} inodes free", "slice kubepods-{hex8}: {secs} s of cpu, {big} bytes of memory", "clock corrected by {secs} ms against {ip}",
      ],
      DEBUG: ["route {ip}/24 via {ip} is unchanged", "{k} rules written to table {n}"],
      WARN: ["probe timeout for pod {table}-{hex8} after {slow} ms", "memory of slice kubepods-{hex8} at {n} percent of its limit"],
      ERROR: ["image shop/{table}@sha256:{hex12} cannot be pulled: status {broken}", "mount of volume pvc-{hex8} failed with errno {n}"],
      CRITICAL: ["out of memory: killed process {port} ({table}), {big} kB resident"],
    },
  },
];

export const TABLES = ["seats", "events", "holds", "bookings", "payments", "refunds", "customers", "venues", "posters", "outbox", "sessions", "tickets"];

/** Free text of the rare `note`. */
export const NOTES = ["seen during the drill of {hex8}", "operator {k} asked for more detail", "kept for case {big}", "flag {hex8} was on for this customer"];
