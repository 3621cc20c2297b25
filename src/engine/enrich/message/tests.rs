use serde_json::json;

use super::*;

fn parsed(message: &str) -> Parsed {
    parse_message(message).unwrap_or_else(|| panic!("nothing in {message}"))
}

/// What is well known, as JSON, without the fields.
fn known(message: &str) -> Value {
    let Parsed {
        form: _,
        fields: _,
        level,
        message_text,
        method,
        endpoint,
        status,
        duration_ms,
        address,
        user_agent,
        trace_id,
        user_id,
        error_type,
        logger,
    } = parsed(message);
    let mut known = json!({
        "level": level, "msg": message_text, "method": method, "endpoint": endpoint, "status": status,
        "ms": duration_ms, "address": address, "agent": user_agent, "trace": trace_id, "user": user_id,
        "error": error_type, "logger": logger,
    });
    known.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    known
}

fn check(message: &str, expected: &Value) {
    assert_eq!(&known(message), expected, "{message}");
}

#[test]
fn json_is_read() {
    for (message, expected) in [
        (r#"{"level":"warn","msg":"hello"}"#, json!({"level": "WARN", "msg": "hello"})),
        (r#" {"lvl":50,"message":"hello"} "#, json!({"level": "ERROR", "msg": "hello"})),
        (r#"{"severity":"ERROR","log":"x"}"#, json!({"level": "ERROR", "msg": "x"})),
        (r#"{"severityNumber":17}"#, json!({"level": "ERROR"})),
        (r#"{"@l":"Warning","@m":"x"}"#, json!({"level": "WARN", "msg": "x"})),
        (r#"{"level":{},"severity":"INFO"}"#, json!({"level": "INFO"})),
        (
            r#"{"http_method":"get","uri":"/a?b=1","code":404}"#,
            json!({"method": "GET", "endpoint": "/a", "status": 404}),
        ),
        (r#"{"method":"card","status":"ok","code":404}"#, json!({})),
        (r#"{"path":"/var/log/x"}"#, json!({})),
        (r#"{"endpoint":"/users/7"}"#, json!({"endpoint": "/users/7"})),
        (
            r#"{"url":"https://shop.example/a/b?c","status_code":"201"}"#,
            json!({"endpoint": "/a/b", "status": 201}),
        ),
        (r#"{"status":1}"#, json!({})),
        (r#"{"duration":"15ms"}"#, json!({"ms": 15.0})),
        (r#"{"latency":"1.5s"}"#, json!({"ms": 1500.0})),
        (r#"{"elapsed_ms":7}"#, json!({"ms": 7.0})),
        (r#"{"request_time":0.5}"#, json!({"ms": 500.0})),
        (r#"{"duration_seconds":2,"took":7}"#, json!({"ms": 2000.0})),
        (r#"{"duration":-1}"#, json!({})),
        (r#"{"client_ip":"192.0.2.1:443"}"#, json!({"address": "192.0.2.1"})),
        (r#"{"remote_addr":"[2001:db8::1]:443"}"#, json!({"address": "2001:db8::1"})),
        (r#"{"x-forwarded-for":"192.0.2.1, 192.0.2.2"}"#, json!({"address": "192.0.2.1"})),
        (r#"{"ip":"unknown"}"#, json!({})),
        (r#"{"traceId":"abc"}"#, json!({"trace": "abc"})),
        (
            r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#,
            json!({"trace": "0af7651916cd43dd8448eb211c80319c"}),
        ),
        (r#"{"uid":7,"user":"jane"}"#, json!({"user": "jane"})),
        (r#"{"user":{"id":7}}"#, json!({"user": "7"})),
        (r#"{"err":"EOF","logger":"a.b"}"#, json!({"error": "EOF", "logger": "a.b"})),
        (r#"{"error":{"type":"ValueError","message":"x"}}"#, json!({"error": "ValueError"})),
        (
            r#"{"req":{"method":"GET","url":"/a","headers":{"user-agent":"curl/8"}},"res":{"statusCode":200},"responseTime":7}"#,
            json!({"method": "GET", "endpoint": "/a", "agent": "curl/8", "status": 200, "ms": 7.0}),
        ),
        (
            r#"{"http.request.method":"PUT","url.path":"/a","http.response.status_code":200}"#,
            json!({"method": "PUT", "endpoint": "/a", "status": 200}),
        ),
    ] {
        check(message, &expected);
        assert_eq!(parsed(message).form, Form::Json);
        assert_eq!(Value::Object(parsed(message).fields), serde_json::from_str::<Value>(message).unwrap());
    }
}

#[test]
fn logfmt_is_read() {
    for (message, expected) in [
        ("level=warn msg=hello", json!({"level": "WARN", "msg": "hello"})),
        (
            "level=info msg=\"say \\\"hi\\\"\\n!\" user=7",
            json!({"level": "INFO", "msg": "say \"hi\"\n!", "user": "7"}),
        ),
        ("level=info msg=hello big world n=1", json!({"level": "INFO", "msg": "hello big world"})),
        ("took=200\u{b5}s, err=EOF,", json!({"ms": 0.2})),
        ("at=error dyno=web.1", json!({"level": "ERROR"})),
        ("at=10 x=1", json!({})),
        ("a= b=\"\" verbose", json!({})),
    ] {
        check(message, &expected);
        assert_eq!(parsed(message).form, Form::Logfmt, "{message}");
    }
    let fields = parsed("n=7 f=1.5 zip=007 big=99999999999999999999999 ok=true s=a=b flag e=").fields;
    assert_eq!(
        Value::Object(fields),
        json!({"n": 7, "f": 1.5, "zip": "007", "big": "99999999999999999999999", "ok": true, "s": "a=b", "flag": true, "e": ""})
    );
}

#[test]
fn logfmt_of_a_request_is_an_access_line() {
    let message = "method=GET path=\"/a/7?x=1\" fwd=\"192.0.2.1\" status=200 duration=58.33";
    assert_eq!(parsed(message).form, Form::Access);
    let expected =
        json!({"method": "GET", "endpoint": "/a/7", "status": 200, "ms": 58.33, "address": "192.0.2.1"});
    check(message, &expected);
}

const TIME: &str = "[17/May/2015:10:05:03 +0000]";

#[test]
fn access_lines_are_read() {
    let request = json!({"address": "192.0.2.1", "method": "GET", "endpoint": "/a/b.png", "status": 200});
    let with = |more: Value| {
        let mut all = request.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let line = format!("192.0.2.1 - - {TIME} \"GET /a/b.png?c=d HTTP/1.1\" 200 203023");
    for (message, expected) in [
        (line.clone(), request.clone()),
        (format!("{line} \"-\" \"-\""), request.clone()),
        (
            format!("{line} \"http://a.example/\" \"curl/8.4 \\\"x\\\"\""),
            with(json!({"agent": "curl/8.4 \\\"x\\\""})),
        ),
        (format!("{line} \"-\" \"curl/8\" 0.250 0.100"), with(json!({"agent": "curl/8", "ms": 250.0}))),
        (
            format!("{line} \"-\" \"curl/8\" \"-\" rt=0.5 urt=\"0.1\""),
            with(json!({"agent": "curl/8", "ms": 500.0})),
        ),
        (
            format!("{line} \"-\" \"curl/8\" 512 0.004 [up] [] 192.0.2.9:80 7 0.004 200 x"),
            with(json!({"agent": "curl/8", "ms": 4.0})),
        ),
        (format!("{line} \"-\" \"cut off"), with(json!({"agent": "cut off"}))),
        (line.replace("- -", "- jane"), with(json!({"user": "jane"}))),
        (format!("shop.example:443 {line}"), request.clone()),
        (line.replace("203023", "-"), request.clone()),
        (line.replace("?c=d", "?c=\"d\""), request.clone()),
        (line.replace(" HTTP/1.1", ""), request.clone()),
        (line.replace("GET /a/b.png?c=d HTTP/1.1", "-"), json!({"address": "192.0.2.1", "status": 200})),
        (
            line.replace("GET /a/b.png?c=d HTTP/1.1", "\\x16\\x03"),
            json!({"address": "192.0.2.1", "status": 200}),
        ),
    ] {
        check(&message, &expected);
        assert_eq!(parsed(&message).form, Form::Access);
    }
    assert_eq!(
        Value::Object(
            parsed(&format!("shop.example:443 {line} \"http://a.example/\" \"curl/8\" 0.250 0.100 x")).fields
        ),
        json!({
            "time": "17/May/2015:10:05:03 +0000", "vhost": "shop.example:443", "remote_addr": "192.0.2.1",
            "method": "GET", "path": "/a/b.png?c=d", "protocol": "HTTP/1.1", "status": 200, "bytes": 203_023,
            "referer": "http://a.example/", "user_agent": "curl/8", "request_time": 0.25,
            "upstream_response_time": 0.1, "rest": ["x"],
        })
    );
}

#[test]
fn prose_has_no_fields() {
    for message in [
        "",
        " ",
        "request completed status=200 duration=15ms",
        "status=200 alone",
        "status=200 request completed in 15 ms",
        "a=1",
        "a = 1 b = 2",
        "https://shop.example/?a=1 b=2",
        "a=\"open b=2",
        "a=\"x\"y b=2",
        "(a=1) b=2",
        "{}",
        "{not json}",
        "{\"a\":1} behind",
        "[1,2]",
        "authentication failure; logname= uid=0 euid=0",
        "[17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 7",
        "192.0.2.1 - - [yesterday] \"GET / HTTP/1.1\" 200 7",
        "192.0.2.1 - - [17/May/2015:10:05:03 +0000] GET / 200 7",
        "192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" ok",
    ] {
        assert_eq!(parse_message(message), None, "{message}");
    }
}

#[test]
fn what_is_too_much_is_text() {
    let deep = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    assert!(parse_message(&deep(MAX_DEPTH)).is_some());
    assert_eq!(parse_message(&deep(MAX_DEPTH + 1)), None);
    let wide = |fields: usize| (0..fields).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join(" ");
    assert!(parse_message(&wide(MAX_FIELDS)).is_some());
    assert_eq!(parse_message(&wide(MAX_FIELDS + 1)), None);
    let long = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    assert!(parse_message(&long(MAX_BYTES)).is_some());
    assert_eq!(parse_message(&long(MAX_BYTES + 1)), None);
    // Brackets inside a text are no depth.
    assert!(parse_message(&format!("{{\"a\":\"{}\"}}", "[\\\"".repeat(99))).is_some());
}

#[test]
fn most_text_is_told_at_a_glance() {
    for message in ["", "hello", "request completed status=200", "[main] started", "done [17", "a b=c"] {
        assert_eq!(may_have_fields(message), message == "done [17", "{message}");
    }
}
