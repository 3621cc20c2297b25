//! Lines for a test, the same for the same seed: a third JSON, a third logfmt, a third as of an access log.
//! A few of each hold what is hard to read.

use super::{LabelSet, Line};

const SERVICES: [&str; 5] = ["api", "web", "auth", "db", "batch"];
const LEVELS: [&str; 4] = ["info", "warn", "error", "debug"];
const STATUSES: [&str; 5] = ["200", "201", "404", "500", "503"];
const PATHS: [&str; 4] = ["/orders/7", "/orders/12", "/users/3", "/health"];
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
const MESSAGES: [&str; 6] = [
    "request done",
    "connection timeout",
    "user logged in",
    "cache miss for key",
    "retry 3 of 5",
    "Größe überschritten",
];
const SIZES: [&str; 6] = ["1KB", "2KiB", "512B", "3.5MB", "10 kB", "77"];
const ADDRESSES: [&str; 6] =
    ["10.0.0.7", "10.0.1.9", "10.200.3.4", "192.168.1.20", "172.16.5.5", "2001:db8::7"];

/// Xorshift, of 64 bits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from((self.next() >> 16) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick(&mut self, values: &[&'static str]) -> &'static str {
        values[self.below(values.len())]
    }
}

/// Lines in the order of their times, which lie from `start_ns` to before `start_ns + span_ns`; some share one.
pub(crate) fn generate(seed: u64, count: usize, start_ns: i64, span_ns: i64) -> Vec<Line> {
    // Zero would stay zero, and small seeds need some rounds to differ.
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..16 {
        random.next();
    }
    let slot_ns = span_ns / i64::try_from(count).unwrap().max(1);
    let mut lines: Vec<Line> = Vec::new();
    for index in 0..count {
        let jitter_ns = i64::try_from(random.next() >> 1).unwrap() % slot_ns.max(1);
        let ts_ns = match lines.last() {
            Some(last) if random.one_in(8) => last.ts_ns,
            _ => start_ns + i64::try_from(index).unwrap() * slot_ns + jitter_ns,
        };
        let line = match random.below(3) {
            0 => json(&mut random),
            1 => logfmt(&mut random),
            _ => access(&mut random),
        };
        lines.push(Line { ts_ns, stream: stream(&mut random), metadata: metadata(&mut random), line });
    }
    lines
}

fn stream(random: &mut Random) -> LabelSet {
    let service = random.pick(&SERVICES);
    let pod = format!("pod-{}", random.below(10));
    let env = if random.one_in(4) { "test" } else { "prod" };
    let pairs = [("service_name", service), ("level", random.pick(&LEVELS)), ("env", env), ("pod", &pod)];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn metadata(random: &mut Random) -> LabelSet {
    let mut labels = LabelSet::new();
    if !random.one_in(4) {
        labels.insert("trace_id".to_owned(), format!("{:016x}", random.next()));
    }
    if random.one_in(2) {
        labels.insert("user".to_owned(), format!("u{}", random.below(10)));
    }
    labels
}

fn took(random: &mut Random) -> String {
    match random.below(40) {
        0 => "n/a".to_owned(),
        1..=4 => format!("{}.5s", random.below(3)),
        5..=9 => format!("{}us", 1 + random.below(900)),
        10..=14 => format!("1m{}s", random.below(60)),
        _ => format!("{}.{}ms", random.below(500), random.below(10)),
    }
}

fn json(random: &mut Random) -> String {
    let message = random.pick(&MESSAGES);
    let status = random.pick(&STATUSES);
    let took = took(random);
    let bytes = random.pick(&SIZES);
    let path = random.pick(&PATHS);
    let ip = random.pick(&ADDRESSES);
    let a = random.below(5);
    let rest = match random.below(14) {
        0 => r#","pod":"inner","1st key":true"#,
        1 => r#","tags":["x",{"y":2}],"none":null"#,
        2 => r#","empty":"","quoted":"a \"b\"\tc""#,
        3 => r#","ratio":0.25,"user":"nobody""#,
        4 => r#","nested_a":"flat","app.name":"x","app_name":"y""#,
        _ => "",
    };
    let inner = if random.one_in(3) { r#","b":{"c d":"deep"}"# } else { "" };
    format!(
        r#"{{"msg":"{message}","status":{status},"took":"{took}","bytes":"{bytes}","path":"{path}","ip":"{ip}","nested":{{"a":{a}{inner}}}{rest}}}"#
    )
}

fn logfmt(random: &mut Random) -> String {
    let message = random.pick(&MESSAGES);
    let status = random.pick(&STATUSES);
    let took = took(random);
    let user = random.below(10);
    let rest = match random.below(16) {
        0 => r#" note="say \"hi\"" flag"#,
        1 => " empty= dotted.key=v",
        2 => r#" bad"key=1 after=yes"#,
        3 => " twice=a=b last=ok",
        4 => " status=999 user=again dotted.key=1 dotted_key=2",
        _ => "",
    };
    format!(r#"msg="{message}" status={status} took={took} user=u{user}{rest}"#)
}

fn access(random: &mut Random) -> String {
    let ip = random.pick(&ADDRESSES);
    let method = random.pick(&METHODS);
    let path = random.pick(&PATHS);
    let status = random.pick(&STATUSES);
    let size = random.below(5000);
    let took = took(random);
    if random.one_in(10) {
        return format!(
            "{ip} - {method} {path} \u{1b}[31m{status}\u{1b}[0m {size} \u{1b}[1;32m{took}\u{1b}[0m"
        );
    }
    format!("{ip} - {method} {path} {status} {size} {took}")
}
