use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

/// Made-up numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn number(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.number(from.len() as u64)).unwrap()]
    }

    fn address(&mut self) -> String {
        format!("10.{}.{}.{}", self.number(256), self.number(256), self.number(256))
    }

    fn hex(&mut self, length: usize) -> String {
        (0..length).filter_map(|_| char::from_digit(u32::try_from(self.number(16)).unwrap(), 16)).collect()
    }

    fn letters(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b'a' + u8::try_from(self.number(26)).unwrap())).collect()
    }
}

const PEOPLE: [&str; 16] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "niaj", "olivia",
    "peggy", "rupert", "sybil", "walter",
];
const SHOPS: [&str; 8] = ["cart", "checkout", "billing", "search", "profile", "stock", "gateway", "mailer"];

/// A template and one of its messages.
type Line = (&'static str, fn(&mut Dice) -> String);

const WEB: &[Line] = &[
    (r#"<*> - - [<*>:<*>] "GET <*> HTTP/<*>" <*> "<*>" "<*>""#, |d| {
        let (day, size) = (d.number(28) + 10, d.number(9000));
        format!(
            r#"{} - - [{day}/Mar/2024:10:{day}:01 +0000] "GET /{}?page={size} HTTP/1.1" 200 {size} "-" "Browser/5.0 (X11; {})""#,
            d.address(),
            d.pick(&PEOPLE),
            d.pick(&PEOPLE),
        )
    }),
    (r#"<*> - <*> [<*>:<*>] "POST <*> HTTP/<*>" <*> "<*>" "<*>""#, |d| {
        format!(
            r#"{} - {} [12/Mar/2024:10:11:01 +0000] "POST /api/{} HTTP/2.0" 404 {} "https://a.example/x" "fetch/7.1""#,
            d.address(),
            d.pick(&PEOPLE),
            d.pick(&SHOPS),
            d.number(1000),
        )
    }),
    ("worker process <*> exited with code <*>", |d| {
        format!("worker process {} exited with code {}", d.number(9999), d.number(3))
    }),
    (r#"open() "<*>" failed (<*>: No such file or directory), client: <*>, server: <*>"#, |d| {
        format!(
            r#"open() "/usr/share/{}.ico" failed (2: No such file or directory), client: {}, server: {}.example.com"#,
            d.pick(&PEOPLE),
            d.address(),
            d.pick(&SHOPS),
        )
    }),
    ("Completed <*> OK in <*> (Views: <*> | Rows: <*>)", |d| {
        format!(
            "Completed 200 OK in {}ms (Views: {}.1ms | Rows: {}.7ms)",
            d.number(99),
            d.number(9),
            d.number(9)
        )
    }),
];

const CLUSTER: &[Line] = &[
    ("Successfully assigned <*>/<*> to <*>", |d| {
        format!(
            "Successfully assigned {}/{}-{}7-x{}2 to node-{}",
            d.pick(&SHOPS),
            d.pick(&PEOPLE),
            d.hex(6),
            d.hex(3),
            d.number(40)
        )
    }),
    (r#"Pulling image "<*>""#, |d| {
        format!(r#"Pulling image "registry.example.com/{}:{}""#, d.pick(&SHOPS), d.hex(7))
    }),
    ("Started container <*>", |d| format!("Started container {}", d.pick(&SHOPS))),
    ("Created container <*>", |d| format!("Created container {}", d.pick(&SHOPS))),
    ("Scaled up replica set <*> to <*>", |d| {
        format!("Scaled up replica set {}-4{} to {}", d.pick(&SHOPS), d.hex(8), d.number(9))
    }),
    ("Scaled down replica set <*> to <*>", |d| {
        format!("Scaled down replica set {}-4{} to {}", d.pick(&SHOPS), d.hex(8), d.number(9))
    }),
    (r#"Probe failed: Get "<*>": dial tcp <*>: connect: connection refused"#, |d| {
        let address = d.address();
        format!(
            r#"Probe failed: Get "http://{address}:8080/healthz": dial tcp {address}:8080: connect: connection refused"#
        )
    }),
    (r#""Pod started" pod="<*>" took="<*>""#, |d| {
        format!(r#""Pod started" pod="{}/{}" took="{}.5s""#, d.pick(&SHOPS), d.pick(&PEOPLE), d.number(9))
    }),
    (r#""Failed to sync pod" err="timeout" pod="<*>""#, |d| {
        format!(r#""Failed to sync pod" err="timeout" pod="{}/{}""#, d.pick(&SHOPS), d.pick(&PEOPLE))
    }),
    ("Deleting pod <*> from namespace <*>", |d| {
        format!("Deleting pod {}-{} from namespace {}", d.pick(&PEOPLE), d.pick(&SHOPS), d.pick(&SHOPS))
    }),
];

const DATABASE: &[Line] = &[
    ("duration: <*> ms statement: SELECT * FROM people WHERE id = <*>", |d| {
        format!(
            "duration: {}.5 ms  statement: SELECT * FROM people WHERE id = {}",
            d.number(999),
            d.number(999)
        )
    }),
    ("connection authorized: user=<*> database=<*>", |d| {
        format!("connection authorized: user={} database={}", d.pick(&PEOPLE), d.pick(&SHOPS))
    }),
    ("connection received: host=<*> port=<*>", |d| {
        format!("connection received: host={} port={}", d.address(), d.number(60_000))
    }),
    ("checkpoint starting: time", |_| "checkpoint starting: time".to_owned()),
    ("checkpoint complete: wrote <*> buffers (<*>); <*> removed; write=<*> s", |d| {
        format!(
            "checkpoint complete: wrote {} buffers (1.5%); {} removed; write=0.{} s",
            d.number(99),
            d.number(9),
            d.number(999)
        )
    }),
    (r#"relation "<*>" does not exist at character <*>"#, |d| {
        format!(r#"relation "{}" does not exist at character {}"#, d.pick(&SHOPS), d.number(99))
    }),
    ("Access denied for user '<*>'@'<*>' (using password: YES)", |d| {
        format!("Access denied for user '{}'@'{}' (using password: YES)", d.pick(&PEOPLE), d.address())
    }),
    ("deadlock detected", |_| "deadlock detected".to_owned()),
];

const APPLICATION: &[Line] = &[
    ("<*> - Start completed.", |d| format!("Pool-{} - Start completed.", d.number(5))),
    ("<*> - Starting...", |d| format!("Pool-{} - Starting...", d.number(5))),
    ("<*> Task Transitioned from <*> to <*>", |d| {
        let states = ["NEW to SCHEDULED", "SCHEDULED to RUNNING", "RUNNING to SUCCEEDED", "NEW to KILLED"];
        format!("task_1_{} Task Transitioned from {}", d.number(99_999), d.pick(&states))
    }),
    ("[<*>] Task <*> finished in <*> ms", |d| {
        format!(
            "[pool-{}-thread-{}] Task {} finished in {} ms",
            d.number(3),
            d.number(20),
            d.pick(&PEOPLE),
            d.number(99)
        )
    }),
    ("Retrying request <*> (attempt <*> of <*>)", |d| {
        format!("Retrying request {}-{}-{} (attempt {} of 5)", d.hex(8), d.hex(4), d.hex(12), d.number(5))
    }),
    (r#"java.lang.NullPointerException: Cannot invoke "<*>" because "<*>" is null <*>"#, |d| {
        format!(
            "java.lang.NullPointerException: Cannot invoke \"String.length()\" because \"<local{}>\" is null\n\tat a.b.C.d(C.java:{})",
            d.number(9),
            d.number(99),
        )
    }),
    ("Consumer clientId=<*>, groupId=<*>: Offset commit failed on partition <*> at offset <*>", |d| {
        format!(
            "Consumer clientId=consumer-{}-{}, groupId={}: Offset commit failed on partition {}-{} at offset {}",
            d.pick(&SHOPS),
            d.number(9),
            d.pick(&SHOPS),
            d.pick(&SHOPS),
            d.number(12),
            d.number(99_999),
        )
    }),
];

const LOGIN: &[Line] = &[
    ("Key accepted for <*> from <*> port <*>: key <*>:<*>", |d| {
        format!(
            "Key accepted for {} from {} port {}: key SHA256:0{}",
            d.pick(&PEOPLE),
            d.address(),
            d.number(60_000),
            d.hex(40)
        )
    }),
    ("Wrong password for <*> from <*> port <*>", |d| {
        format!("Wrong password for {} from {} port {}", d.pick(&PEOPLE), d.address(), d.number(60_000))
    }),
    ("user <*> logged in from <*>", |d| {
        format!("user {} logged in from {}", d.pick(&PEOPLE), d.pick(&SHOPS))
    }),
    ("user <*> logged out", |d| format!("user {} logged out", d.pick(&PEOPLE))),
    ("<*> : TTY=<*> ; PWD=<*> ; USER=<*> ; COMMAND=<*>", |d| {
        let name = d.pick(&PEOPLE);
        format!("{name} : TTY=pts/{} ; PWD=/home/{name} ; USER=root ; COMMAND=/bin/{name}", d.number(9))
    }),
    ("New session <*> of user <*>.", |d| {
        format!("New session {} of user {}.", d.number(999), d.pick(&PEOPLE))
    }),
    ("Removed session <*>.", |d| format!("Removed session {}.", d.number(999))),
    ("token for client <*> expired", |d| format!("token for client {} expired", d.pick(&SHOPS))),
    ("token for client <*> revoked", |d| format!("token for client {} revoked", d.pick(&SHOPS))),
];

const PAIRS: &[Line] = &[
    (r#"level=warn msg="slow query" table=<*> took=<*>"#, |d| {
        format!(r#"level=warn msg="slow query" table={} took={}.3s"#, d.pick(&SHOPS), d.number(99))
    }),
    (r#"level=error msg="cannot send mail" to=<*> err="connection refused""#, |d| {
        format!(
            r#"level=error msg="cannot send mail" to={}@example.com err="connection refused""#,
            d.pick(&PEOPLE)
        )
    }),
    (r#"level=error msg="cannot send mail" to=<*> err="mailbox full""#, |d| {
        format!(r#"level=error msg="cannot send mail" to={}@example.com err="mailbox full""#, d.pick(&PEOPLE))
    }),
    (r#"time="<*>" level=info msg="starting worker" id=<*> queue=<*>"#, |d| {
        format!(
            r#"time="2024-03-01T10:00:0{}Z" level=info msg="starting worker" id=7 queue={}"#,
            d.number(9),
            d.pick(&SHOPS)
        )
    }),
    (r#"time="<*>" level=info msg="stopping worker" id=<*> queue=<*>"#, |d| {
        format!(
            r#"time="2024-03-01T10:00:0{}Z" level=info msg="stopping worker" id=7 queue={}"#,
            d.number(9),
            d.pick(&SHOPS)
        )
    }),
    (r#"{"event":"login","user":"<*>","ok":<*>,"ip":"<*>"}"#, |d| {
        format!(
            r#"{{"event":"login","user":"{}","ok":{},"ip":"{}"}}"#,
            d.pick(&PEOPLE),
            d.pick(&["true", "false"]),
            d.address()
        )
    }),
    (r#"{"event":"logout","user":"<*>","took":<*>}"#, |d| {
        format!(r#"{{"event":"logout","user":"{}","took":{}}}"#, d.pick(&PEOPLE), d.number(99))
    }),
];

const FAMILIES: [&[Line]; 6] = [WEB, CLUSTER, DATABASE, APPLICATION, LOGIN, PAIRS];

/// Messages with the places of their templates in the family.
fn messages(family: &[Line], each: usize, seed: u64) -> Vec<(usize, String)> {
    let mut dice = Dice(seed);
    let mut made = Vec::new();
    for _ in 0..each {
        for (at, (_, line)) in family.iter().enumerate() {
            made.push((at, line(&mut dice)));
        }
    }
    made
}

/// The table outside of the miner: what stored ids lead to.
#[derive(Default)]
struct Catalog(HashMap<PatternId, News>);

impl Catalog {
    fn read(&mut self, miner: &mut Miner) {
        self.0.extend(miner.news(usize::MAX).into_iter().map(|news| (news.id, news)));
    }

    fn of(&self, id: PatternId) -> &News {
        let mut found = &self.0[&id];
        for _ in 0..100 {
            if found.pattern == found.id {
                return found;
            }
            found = &self.0[&found.pattern];
        }
        panic!("{id} leads in a circle");
    }
}

fn check_form(message: &str, template: &str) {
    let mut buffer = FormBuf::default();
    form(message, &mut buffer);
    assert_eq!(buffer.template(), template, "{message}");
    assert!(Template::parse(template).is_none_or(|template| template.matches(message)), "{message}");
}

#[test]
fn a_form_masks_what_is_plainly_a_value() {
    // Numbers, with and without what they count.
    check_form("took 12 ms", "took <*> ms");
    check_form("took 12ms, 3.5s, -7, 1e6, 99%", "took <*>, <*>, <*>, <*>, <*>");
    check_form("free 5.2 KB of 16GB", "free <*> of <*>");
    check_form(
        "heap 16K->8K, 1,234,567 bytes, 1,2 and 12,3456",
        "heap <*>-><*>, <*> bytes, <*>,<*> and <*>,<*>",
    );
    check_form("dump.1234 made", "dump.<*> made");
    check_form("core#3 up", "core#<*> up");
    check_form("done......0", "done......<*>");
    // One short number in a name may be part of it.
    check_form("http2 and utf8", "http2 and utf8");
    check_form("part_42_1 node-7 db1234", "<*>");
    check_form("x part_42_1, node-7, db1234", "x <*>, <*>, <*>");
    // Addresses.
    check_form("from 10.0.0.1:80: closed", "from <*>: closed");
    check_form("10.0.0.1:80:Got it", "<*>:Got it");
    check_form("net 10.0.0.0/8 up", "net <*> up");
    check_form("to db.example.com:5432.", "to <*>.");
    check_form("mac 00:1a:2B:cc:dd:ee ok", "mac <*> ok");
    check_form("listening on fe80::1%eth0", "listening on fe80::<*>");
    check_form("listening on [::1]:8080", "listening on [<*>]:<*>");
    check_form("mail to a.b@example.com sent", "mail to <*> sent");
    check_form("see https://example.com/a?b=c&d=e#f, please", "see <*>, please");
    // Paths.
    check_form("open /var/log/x.log: denied", "open <*>: denied");
    check_form("open /var/log/x. Now", "open <*>. Now");
    check_form(r"open C:\Users\x\y.txt now", "open <*> now");
    check_form("at src/main.rs now", "at <*> now");
    check_form("read/write error", "read/write error");
    // Times.
    check_form("at 2024-01-02T03:04:05.678Z it", "at <*> it");
    check_form("at 2024-01-02 03:04:05 it", "at <*> it");
    check_form("at Tue Mar 12 10:11:00 UTC 2024", "at <*>");
    check_form("it may be Friday", "it may be Friday");
    // Ids.
    check_form("id 123e4567-e89b-12d3-a456-426614174000 x", "id <*> x");
    check_form("ptr 0xdeadbeef or deadbeef", "ptr <*> or <*>");
    check_form("a.b.Class@1f2e3d ok", "a.b.Class@<*> ok");
    // Keys and their values.
    check_form("a=1 b=x c=x/y:z#1 d= e = 5", "a=<*> b=x c=<*> d= e = <*>");
    check_form("user=bob userId=x session_id=y valid=x", "user=<*> userId=<*> session_id=<*> valid=x");
    check_form("is true, x=null", "is <*>, x=<*>");
    check_form(r#"msg="it runs" name="a b" x="c""#, r#"msg="it runs" name="<*>" x="<*>""#);
    check_form(
        r#"{"level": "info", "n": 5, "who": "me", "x": null}"#,
        r#"{"level": "info", "n": <*>, "who": "<*>", "x": <*>}"#,
    );
    // Quotes and brackets.
    check_form("can't open 'a/b' or 'word'", "can't open '<*>' or 'word'");
    check_form("an \"open quote and 5", "an \"open quote and <*>");
    check_form("ids [1, 2, 3] and [4]", "ids [<*>] and [<*>]");
    check_form("from x () and call()", "from x (<*>) and call()");
    // Only the first line that says something counts.
    check_form("---\nfirst\n", "--- first");
    check_form("first line\nsecond", "first line <*>");
    check_form("\x1b[31mred\x1b[0m text", "red text");
    check_form("用户123登录成功", "用户<*>登录成功");
    check_form("", "");
}

#[test]
fn every_family_is_grouped_exactly() {
    for family in FAMILIES {
        for each in [40, 400] {
            let mut miner = Miner::new(Limits::default());
            let mut catalog = Catalog::default();
            let mut stored = Vec::new();
            for (number, (at, message)) in messages(family, each, 7).into_iter().enumerate() {
                stored.push((at, miner.learn(&message, 1), message));
                if number % 100 == 0 {
                    catalog.read(&mut miner);
                }
            }
            catalog.read(&mut miner);
            for (at, id, message) in stored {
                let found = catalog.of(id);
                assert_eq!(found.template, family[at].0, "{message}");
                assert!(Template::parse(&found.template).unwrap().matches(&message), "{message}");
            }
            assert_eq!(miner.patterns().len(), family.len());
            let counts: u64 = miner.patterns().iter().map(|pattern| pattern.count).sum();
            assert_eq!(counts, (family.len() * each) as u64);
        }
    }
}

#[test]
fn words_that_say_what_happens_stay() {
    let mut miner = Miner::new(Limits::default());
    for verb in ["started", "stopped", "deleted", "created", "updated", "restarted", "paused"] {
        miner.learn(&format!("service {verb} on request"), 1);
    }
    assert_eq!(miner.patterns().len(), 7);
}

#[test]
fn few_ids_are_stored_for_a_word_that_varies_without_end() {
    let mut miner = Miner::new(Limits::default());
    let mut dice = Dice(3);
    let ids: BTreeSet<PatternId> =
        (0..20_000).map(|_| miner.learn(&format!("hello {} nice to see you", dice.letters(8)), 1)).collect();
    assert!(ids.len() < 100, "{}", ids.len());
    assert_eq!(miner.patterns().len(), 1);
    assert_eq!(miner.patterns()[0].count, 20_000);
    assert!(miner.len() < 50);
}

/// What each message leads to, and how often each template was seen.
fn outcome(
    miner: &mut Miner,
    catalog: &mut Catalog,
    stored: &[PatternId],
) -> (Vec<String>, BTreeMap<String, u64>) {
    catalog.read(miner);
    let templates = stored.iter().map(|id| catalog.of(*id).template.clone()).collect();
    (templates, miner.patterns().iter().map(|pattern| (pattern.template.clone(), pattern.count)).collect())
}

proptest! {
    #[test]
    fn a_form_is_there_for_any_text_and_matches_it(message in "(?s).{0,300}") {
        let (mut one, mut other) = (FormBuf::default(), FormBuf::default());
        form(&message, &mut one);
        form(&message, &mut other);
        prop_assert_eq!(one.id(), other.id());
        prop_assert!(super::text::parts(&one.text).is_some());
        let template = one.template();
        prop_assert!(Template::parse(&template).is_none_or(|template| template.matches(&message)), "{}", template);
    }

    #[test]
    fn a_form_is_there_for_any_marks(message in r#"[a\- '"=:,./@#?!\[\](){}<>|1Z\\\n\x1b-]{0,80}"#) {
        let mut buffer = FormBuf::default();
        form(&message, &mut buffer);
        let template = buffer.template();
        prop_assert!(Template::parse(&template).is_none_or(|template| template.matches(&message)), "{}", template);
    }

    #[test]
    fn it_does_not_matter_who_saw_what_when(family in 0..6_usize, seed in 0..1000_u64, split in 0..u64::MAX) {
        let messages = messages(FAMILIES[family], 40, seed);
        let mut whole = Miner::new(Limits::default());
        let stored: Vec<_> = messages.iter().map(|(_, message)| whole.learn(message, 1)).collect();
        let expected = outcome(&mut whole, &mut Catalog::default(), &stored);

        let mut catalog = Catalog::default();
        let mut parts: Vec<Miner> = (0..3).map(|_| Miner::new(Limits::default())).collect();
        let mut dice = Dice(split);
        let mut stored = vec![PatternId(0); messages.len()];
        let mut order: Vec<usize> = (0..messages.len()).collect();
        order.sort_by_cached_key(|_| dice.number(1 << 30));
        for at in order {
            let part = &mut parts[usize::try_from(dice.number(3)).unwrap()];
            stored[at] = part.learn(&messages[at].1, 1);
            if dice.number(50) == 0 {
                catalog.read(part);
            }
        }
        for part in &mut parts {
            catalog.read(part);
        }
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut sum = Miner::new(Limits::default());
            for at in order {
                sum.merge(&parts[at]);
            }
            prop_assert_eq!(&outcome(&mut sum, &mut catalog, &stored), &expected);
        }
        let mut right = Miner::load(&parts[1].save(), Limits::default()).unwrap();
        right.merge(&parts[2]);
        parts[0].merge(&right);
        prop_assert_eq!(&outcome(&mut parts[0], &mut catalog, &stored), &expected);
    }

    #[test]
    fn what_was_saved_is_loaded(family in 0..6_usize, each in 0..60_usize) {
        let mut miner = Miner::new(Limits::default());
        for (_, message) in messages(FAMILIES[family], each, 5) {
            miner.learn(&message, 1);
        }
        miner.news(usize::MAX);
        let saved = miner.save();
        let mut loaded = Miner::load(&saved, Limits::default()).unwrap();
        prop_assert_eq!(loaded.patterns(), miner.patterns());
        prop_assert_eq!(loaded.save(), saved.clone());
        prop_assert_eq!(loaded.news(usize::MAX), Vec::new());
        for cut in 0..saved.len().min(200) {
            if let Some(mut miner) = Miner::load(&saved[..cut], Limits::default()) {
                miner.patterns();
            }
        }
    }

    #[test]
    fn wrong_bytes_are_no_state(mut bytes in prop::collection::vec(any::<u8>(), 0..200), right in any::<bool>()) {
        if let Some(first) = bytes.first_mut().filter(|_| right) {
            *first = 1;
        }
        if let Some(mut miner) = Miner::load(&bytes, Limits::default()) {
            miner.patterns();
            miner.learn("a 1", 1);
            Miner::load(&miner.save(), Limits::default()).unwrap();
        }
    }
}

#[test]
fn ever_different_messages_do_not_fill_the_memory() {
    let mut miner = Miner::new(Limits::default());
    let mut dice = Dice(11);
    let (mut most, mut bytes) = (0, 0);
    for number in 0..200_000_u64 {
        let message = match number % 4 {
            0 => format!("{} {} {}", dice.letters(6), dice.letters(6), dice.letters(6)),
            1 => format!("the {} of {} is gone", dice.letters(7), dice.letters(5)),
            2 => format!("{}={} {}: {}", dice.letters(4), dice.letters(5), dice.letters(3), dice.letters(6)),
            _ => (0..=number / 4 % 60).map(|_| dice.letters(2)).collect::<Vec<_>>().join(" "),
        };
        miner.learn(&message, 1);
        most = most.max(miner.len());
        if number % 100_000 == 0 {
            bytes = bytes.max(miner.save().len());
        }
    }
    assert!(most <= Limits::default().forms + 64, "{most}");
    assert!(bytes < 1_000_000, "{bytes}");
    assert!(miner.news(usize::MAX).len() <= Limits::default().news + Limits::default().forms);
}

#[test]
fn a_long_message_costs_what_its_head_costs() {
    let heads = [
        "word ",
        "a=b ",
        "\"",
        "\"x\" ",
        "'",
        "a:",
        "a@",
        "a/",
        "/",
        "[1, ",
        "{\"a\":",
        "中a",
        "1.",
        "<",
        "x\\\"",
        "http://a,",
    ];
    for head in heads {
        let mut sizes = BTreeSet::new();
        for times in [400, 4_000, 40_000, 200_000] {
            let mut buffer = FormBuf::default();
            form(&head.repeat(times * 5 / head.len() + 2000), &mut buffer);
            assert!(buffer.text.len() < 8_000, "{head}: {}", buffer.text.len());
            sizes.insert(buffer.text.len());
        }
        assert_eq!(sizes.len(), 1, "{head}");
    }
}

#[test]
fn ids_never_change() {
    let mut buffer = FormBuf::default();
    for (message, id) in [
        ("", "c865d2bde72bb63d"),
        ("connection from 10.0.0.1 closed", "bff3f57820f633a4"),
        ("user=bob said \"hi\"", "8af4ee1bb5e0d9fa"),
    ] {
        form(message, &mut buffer);
        assert_eq!(buffer.id().to_string(), id, "{message}");
        assert_eq!(PatternId::parse(id), Some(buffer.id()));
    }
}

#[test]
fn a_template_matches_by_its_text() {
    for (template, message, matches) in [
        ("Wrong password for <*> from <*>", "Wrong password for bob from 10.0.0.1 port 5", true),
        ("Wrong password for <*> from <*>", "Wrong  password for bob\tfrom 10.0.0.1", true),
        ("Wrong password for <*> from <*>", "wrong password for bob from 10.0.0.1", false),
        ("<*> closed", "the door closed", true),
        ("<*> closed", "closed doors", false),
        ("a <*> b <*> b", "a b b b b", true),
        ("a <*> b <*> b", "a b b", false),
        ("exact", "exact", true),
        ("exact", "exactly", false),
        ("first <*>", "first line\nsecond", true),
    ] {
        assert_eq!(Template::parse(template).unwrap().matches(message), matches, "{template}: {message}");
    }
    assert_eq!(Template::parse(" \n"), None);
}

#[test]
fn an_id_leads_to_its_pattern_when_its_form_was_let_go() {
    let mut miner = Miner::new(Limits::default());
    let mut dice = Dice(5);
    let ids: Vec<PatternId> =
        (0..200).map(|_| miner.learn(&format!("session opened for user {}", dice.letters(7)), 1)).collect();
    miner.patterns();
    let led: Vec<_> = ids.iter().map(|id| miner.resolve(*id).map(|pattern| pattern.id)).collect();
    assert!(led.iter().all(|id| id.is_some() && *id == led[0]), "{led:?}");
    let pattern = led[0].unwrap();
    let leading = miner.leading_to(&std::collections::HashSet::from([pattern]));
    assert!(ids.iter().all(|id| leading.contains(id)));
    // The catalog is told of all, in as many parts as it takes.
    let mut told = Vec::new();
    loop {
        let news = miner.news(7);
        if news.is_empty() {
            break;
        }
        told.extend(news);
    }
    assert!(ids.iter().all(|id| told.iter().any(|news| news.id == *id && news.pattern == pattern)));
}
