//! The table of categories: the first rule that fits decides.
//!
//! In this order: what must not be overlooked, and phrases of a message that mean one thing only; who says it, when
//! that is about one thing, and what went wrong by name; words of a message that may mean several things; what was
//! asked for; who says it, in general; the answer; the service.

use super::{
    Category::{
        AiGeneration, ApiRequest, Application, Audit, Authentication, Authorization, Billing, Database,
        Deployment, Infrastructure, Network, Performance, Security, Workflow,
    },
    CategoryRule,
    Field::{Anything, Attack, Endpoint, ErrorType, Message, Path, Request, Service, Source, Status},
};

const fn rule(
    category: super::Category,
    field: super::Field,
    words: &'static [&'static str],
    reason: &'static str,
) -> CategoryRule {
    CategoryRule { category, field, words, reason }
}

#[rustfmt::skip]
pub(super) const RULES: &[CategoryRule] = &[
    rule(Security, Attack, &[], "an attack was recognised in it"),
    rule(Security, Message, &[
        "sql injection", "command injection", "code injection", "xss", "csrf", "brute force", "brute-force", "bruteforce",
        "break-in", "intrusion", "malware", "ransomware", "exploit", "vulnerability", "vulnerabilities", "port scan",
        "ddos", "firewall", "waf", "suspicious", "tampered", "tampering", "attack", "attacker", "blacklisted", "denylisted",
        "signature mismatch",
    ], "it tells of an attack or a defence"),
    rule(Audit, Source, &["audit", "auditlog", "audit-log"], "the audit trail says it"),
    rule(Audit, Message, &["audit", "audit log", "audited", "audit trail"], "it is of the audit trail"),
    rule(Authentication, Message, &[
        "login", "logins", "log in", "logged in", "logged out", "logout", "logon", "sign in", "sign-in", "signed in",
        "signin", "signed out", "authentication", "authenticated", "authenticating", "authenticate", "unauthenticated",
        "password", "passphrase", "invalid credentials", "bad credentials", "wrong credentials", "invalid user",
        "invalid token", "expired token", "token expired", "token has expired", "token refreshed", "refresh token",
        "access token", "session expired", "session opened", "session closed", "mfa", "2fa", "totp", "otp", "two-factor",
        "sso", "saml", "oauth", "oauth2", "oidc", "jwt", "unauthorized", "publickey", "preauth", "pam_unix", "kerberos",
        "user unknown", "unknown user", "invalid api key", "user authenticated",
    ], "somebody proves who they are, or fails to"),
    rule(Authorization, Message, &[
        "permission denied", "access denied", "forbidden", "not authorized", "not authorised", "unauthorised",
        "not permitted", "insufficient permission", "insufficient permissions", "insufficient privileges",
        "insufficient scope", "missing permission", "missing scope", "lacks permission", "authorization failed",
        "authorization denied", "authorisation failed",
        "rbac", "acl", "privilege", "role assigned", "role granted", "denied by policy",
    ], "somebody may do it, or may not"),
    rule(Database, Message, &[
        "deadlock", "connection pool", "slow query", "duplicate key", "foreign key", "unique constraint",
        "constraint violation", "lock wait timeout", "replication lag", "sqlstate", "sql", "mysql", "postgres",
        "postgresql", "mongodb", "sqlite", "database",
    ], "it is about a database, its locks or its connections"),
    rule(Infrastructure, Message, &[
        "out of memory", "out-of-memory", "outofmemoryerror", "oom", "oom-killer", "oomkilled", "no space left",
        "disk full", "disk usage", "kubelet", "kubernetes", "crashloopbackoff", "kernel panic", "segfault",
    ], "a machine or a container lacks something"),

    rule(Authentication, Source, &[
        "auth", "authn", "authenticator", "authentication", "login", "oauth", "oauth2", "oidc", "sso", "saml", "jwt",
        "identity", "password", "mfa", "sshd", "pam", "pam_unix",
    ], "who says it is about identity"),
    rule(Authorization, Source, &["authz", "authorization", "authorizer", "rbac", "acl", "permission", "policy"],
        "who says it is about permissions"),
    rule(Security, Source, &["security", "waf", "firewall", "ids", "antivirus"], "who says it is a defence"),
    rule(Billing, Source, &[
        "billing", "payment", "invoice", "invoicing", "checkout", "subscription", "stripe", "refund", "payout", "ledger",
    ], "who says it is about money"),
    rule(Database, Source, &[
        "db", "database", "sql", "postgres", "postgresql", "mysql", "mongo", "mongodb", "sqlite", "redis", "repository",
        "dao", "orm", "hikari", "hikaripool", "jdbc", "sqlalchemy", "activerecord",
    ], "who says it is about storage"),
    rule(AiGeneration, Source, &[
        "llm", "ai", "prompt", "embedding", "inference", "rag", "completion", "generation", "genai", "model",
    ], "who says it is about models"),
    rule(Deployment, Source, &["deploy", "deployer", "deployment", "release", "rollout", "cicd", "build", "migration", "migrator"],
        "who says it is about releases"),

    rule(Database, ErrorType, &[
        "sql", "deadlock", "database", "postgres", "mongo", "sqlite", "integrityerror", "operationalerror",
        "dataaccess", "constraintviolation", "uniqueviolation", "duplicatekey", "hibernate",
    ], "a database's error"),
    rule(Authentication, ErrorType, &[
        "authentication", "unauthorized", "unauthenticated", "badcredentials", "invalidtoken", "tokenexpired",
        "expiredtoken", "expiredjwt", "jsonwebtoken", "login", "invalid_token", "invalid_credentials",
    ], "an error of identity"),
    rule(Authorization, ErrorType, &["permission", "accessdenied", "access_denied", "forbidden", "authorization", "notauthorized"],
        "an error of permissions"),
    rule(Billing, ErrorType, &["payment", "carderror", "card_declined", "carddeclined", "billing", "invoice", "insufficientfunds"],
        "an error of money"),
    rule(Infrastructure, ErrorType, &["outofmemory", "memoryerror", "oom", "enospc", "stackoverflow", "diskfull"], "a machine's limit"),
    rule(Network, ErrorType, &[
        "connection", "socket", "econnrefused", "econnreset", "enotfound", "epipe", "unknownhost", "gaierror", "sslerror",
        "sslhandshake", "tlserror", "certificate", "noroutetohost", "brokenpipe", "dns", "network", "etimedout",
    ], "an error of a connection"),
    rule(Performance, ErrorType, &["timeout", "timedout", "deadlineexceeded", "deadline_exceeded", "throttl", "ratelimit"],
        "an error of time"),

    rule(Billing, Message, &[
        "payment", "invoice", "invoiced", "refund", "refunded", "billing", "billed", "charge", "charged", "chargeback",
        "subscription", "checkout", "credit card", "card declined", "insufficient funds", "payout", "stripe", "paypal",
        "receipt",
    ], "it is about money"),
    rule(Deployment, Message, &[
        "deploy", "deployed", "deploying", "deployment", "redeploy", "rollout", "rolled out", "canary", "blue-green",
        "migration", "migrated", "terraform", "helm", "new version", "released", "release", "hotfix",
    ], "something new is put to work"),
    rule(Database, Message, &[
        "query", "queries", "transaction", "rollback", "rolled back", "redis", "db", "tablespace", "vacuum", "row lock",
        "index scan", "table scan", "primary key",
    ], "it is about queries and transactions"),
    rule(AiGeneration, Message, &[
        "llm", "prompt", "embedding", "completion tokens", "prompt tokens", "input tokens", "output tokens", "max tokens",
        "tokens used", "token usage", "tokens", "chat completion", "context window", "context length", "openai", "gpt",
        "gpt-4", "inference", "fine-tuning", "fine-tuned", "hallucination", "model response", "model loaded", "model call",
        "generated text",
    ], "a model reads or writes"),
    rule(Network, Message, &[
        "connection refused", "connection reset", "connection closed", "connection timed out", "connection timeout",
        "connection lost", "connect timeout", "connection broken", "broken pipe", "econnrefused", "econnreset", "etimedout",
        "ehostunreach", "unreachable", "no route to host", "bad gateway", "gateway timeout", "dns", "getaddrinfo", "socket",
        "handshake", "tls", "ssl", "certificate", "tcp", "udp", "packet", "network", "websocket", "proxy", "peer",
        "hostname", "upstream timed out", "upstream unavailable", "connection", "disconnect", "disconnected", "reconnecting",
    ], "it is about a connection"),
    rule(Performance, Message, &[
        "slow", "slower", "latency", "timeout", "timed out", "time out", "took too long", "deadline exceeded", "throttled",
        "throttling", "throughput", "backpressure", "degraded", "bottleneck", "performance", "p95", "p99", "high load",
        "garbage collection", "gc pause", "cache miss", "cache hit", "hit ratio",
    ], "it is about speed"),
    rule(Infrastructure, Message, &[
        "pod", "node", "container", "docker", "disk", "memory", "cpu", "heap", "swap", "filesystem", "file system", "kernel",
        "hardware", "cluster", "replica", "evicted", "autoscaling", "scaled up", "scaled down", "load average", "volume",
        "core dump", "parity error", "reboot", "rebooted", "inode", "raid", "daemon", "instance", "machine check", "temperature",
        "power", "interrupt", "interrupts",
    ], "it is about machines"),
    rule(Workflow, Message, &[
        "workflow", "job", "step", "pipeline", "queue", "queued", "enqueued", "dequeued", "task", "worker", "cron",
        "scheduled", "scheduler", "batch", "dead letter", "dead-letter", "stage", "dag", "saga", "retrying", "consumer",
    ], "it is about work in steps"),
    rule(Deployment, Message, &["build", "artifact", "upgraded", "version bump", "ci"], "something is built"),

    rule(Authentication, Endpoint, &[
        "login", "logout", "signin", "signup", "sign-in", "sign-up", "auth", "oauth", "oauth2", "token", "session", "password",
        "password-reset", "forgot-password", "reset-password", "mfa", "2fa", "sso", "saml", "oidc", "verify-email",
    ], "a request of identity"),
    rule(Authorization, Endpoint, &["permission", "role", "policies", "acl"], "a request of permissions"),
    rule(Billing, Endpoint, &[
        "payment", "billing", "invoice", "checkout", "refund", "subscription", "charge", "payout", "payment-methods",
    ], "a request of money"),
    rule(AiGeneration, Endpoint, &["completion", "embedding", "prompt", "llm", "inference", "generation"], "a request to a model"),
    rule(Workflow, Endpoint, &["workflow", "job", "pipeline", "task"], "a request of work in steps"),
    rule(Deployment, Endpoint, &["deployment", "deploy", "release", "build", "rollout"], "a request of releases"),
    rule(Audit, Endpoint, &["audit", "audit-log"], "a request of the audit trail"),

    rule(ApiRequest, Message, &[
        "api call", "api request", "http request", "incoming request", "request completed", "request received",
        "request failed", "request finished", "request started",
    ], "a request came or was answered"),

    rule(Workflow, Source, &[
        "workflow", "job", "scheduler", "queue", "worker", "pipeline", "cron", "task", "consumer", "orchestrator", "saga",
        "batch", "dag", "executor",
    ], "who says it is about work in steps"),
    rule(Infrastructure, Source, &[
        "kubelet", "kernel", "kubernetes", "k8s", "node", "pod", "container", "docker", "containerd", "systemd", "infra",
        "memory", "disk", "autoscaler", "hardware",
    ], "who says it is about machines"),
    rule(Network, Source, &[
        "network", "net", "dns", "tcp", "udp", "socket", "tls", "ssl", "loadbalancer", "vpn", "dhcp", "netty", "ftpd", "named",
        "xinetd", "snmpd",
    ], "who says it is about connections"),
    rule(Performance, Source, &["performance", "perf", "profiler", "apm"], "who says it measures"),

    rule(Authentication, Status, &["401", "407"], "the caller did not say who it is"),
    rule(Authorization, Status, &["403"], "the caller may not"),
    rule(Performance, Status, &["408", "504"], "it took too long"),
    rule(ApiRequest, Request, &["http/1.1\"", "http/1.0\"", "http/2.0\"", "http/2\"", "http/3\"", "http/3.0\"", "http/1.1\\\""],
        "a request and its answer"),

    rule(Authentication, Service, &["auth", "authentication", "identity", "login", "sso"], "a service of identity"),
    rule(Authorization, Service, &["authz", "authorization", "permission"], "a service of permissions"),
    rule(Billing, Service, &["billing", "payment", "invoice", "invoicing", "checkout", "subscription"], "a service of money"),
    rule(Database, Service, &["database", "db", "postgres", "mysql", "mongodb", "redis"], "a store"),
    rule(AiGeneration, Service, &["llm", "ai", "embedding", "inference", "rag"], "a service of models"),
    rule(Workflow, Service, &["workflow", "scheduler", "worker", "pipeline", "cron", "queue"], "a service of work in steps"),
    rule(Deployment, Service, &["deployer", "deployment", "cicd", "ci"], "a service of releases"),
    rule(Audit, Service, &["audit"], "the service of the audit trail"),
    rule(Security, Service, &["security", "waf", "firewall"], "a defence"),
    rule(Network, Service, &["dns", "proxy", "loadbalancer", "vpn"], "a service of connections"),
    rule(Infrastructure, Service, &["kernel", "kubelet", "node"], "a machine"),

    rule(ApiRequest, Source, &[
        "api", "http", "router", "gateway", "controller", "rest", "graphql", "access", "ratelimit", "middleware",
        "nginx", "httpd", "ingress",
    ], "who says it serves requests"),

    rule(ApiRequest, Message, &["request", "response", "graphql", "webhook", "endpoint", "status code", "rate limit"],
        "it is about requests"),

    rule(ApiRequest, Path, &[], "it happened while a request was served"),
    rule(Application, Anything, &[], "nothing says more"),
];
