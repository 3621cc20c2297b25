use proptest::prelude::*;

use super::*;

fn check(text: &str, wanted: &str) {
    let mut allowed = Allowed::default();
    allowed.add("GET https://ok.example/path?a=1,2 from db.ok.com failed: 0193f5a1-7c00-7000-8000-000000000001 url=http://in.example/x");
    let found = untrusted(text, &allowed, 500);
    assert_eq!(found, wanted, "{text:?}");
    assert_eq!(untrusted(&found, &allowed, 500), found, "{text:?} is not clean at once");
}

#[test]
fn what_is_shown_is_plain_text() {
    let cases = [
        ("Errors rose to 4.5% (12 of 266).", "Errors rose to 4.5% (12 of 266)."),
        ("a\r\n\tb  c\u{2028}d", "a b c d"),
        // Hidden signs and terminals.
        ("a\u{0}b\u{200b}c\u{202e}d\u{feff}e\u{e0041}f", "abcdef"),
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}]8;;https://evil.example\u{1b}\\here\u{1b}]8;;\u{1b}\\", "here"),
        ("\u{1b}]0;title\u{7}x", "x"),
        ("\u{9b}1mx", "x"),
        // HTML.
        ("<script>alert(1)</script>", "alert(1)"),
        ("a<img src=x onerror=alert(1)>b", "a b"),
        ("a <b c", "a b c"),
        ("order <*> took <*> ms, 3 < 4", "order <*> took <*> ms, 3 < 4"),
        ("<!channel> x", "x"),
        ("@everyone look, user@host", "everyone look, user@host"),
        // Markdown.
        ("see [this](https://evil.example/?q=x) now", "see [this] ((link removed)) now"),
        ("![x](https://evil.example/p.png)", "[x] ((link removed))"),
        ("![x](/p.png)", "[x] (/p.png)"),
        ("[a]: /x", "[a] : /x"),
        ("```json\nx\n```", "json x"),
        // Links.
        ("https://evil.example/a?b=c.", "(link removed)."),
        ("at https://ok.example/path?a=1,2.", "at https://ok.example/path?a=1,2."),
        ("at https://ok.example/path?a=1,2,SECRET", "at (link removed)"),
        ("at https://ok.example/path", "at (link removed)"),
        ("url=https://evil.example", "(link removed)"),
        ("https://ok.example/path?a=1,2\"SECRET", "(link removed)"),
        ("evil.com=https://ok.example/path?a=1,2", "(link removed)"),
        ("see http://in.example/x", "see http://in.example/x"),
        ("(https://evil.example)", "((link removed))"),
        ("\"https://evil.example\"", "\"(link removed)\""),
        ("ht\u{200b}tps://evil.example", "(link removed)"),
        ("ht<b>tps://evil.example", "ht (link removed)"),
        ("HTTPS://EVIL.EXAMPLE", "(link removed)"),
        ("//evil.example/x", "(link removed)"),
        ("\\\\evil\\share", "(link removed)"),
        ("www.evil.test", "(link removed)"),
        ("evil.com/?x=1 and sub.evil.com", "(link removed) and (link removed)"),
        ("db.ok.com is slow", "db.ok.com is slow"),
        ("http://10.0.0.1/x 10.0.0.1/x 10.0.0.1:5432", "(link removed) (link removed) (link removed)"),
        ("javascript:alert(1) data:text/html,x", "(link removed)) (link removed)"),
        ("mail a@evil.example", "mail (link removed)"),
        ("metadata:x is no link", "metadata:x is no link"),
        (
            "java.net.SocketException in pool.js:10, version 1.4.2",
            "java.net.SocketException in pool.js:10, version 1.4.2",
        ),
        // Ids.
        ("log 0193f5a1-7c00-7000-8000-000000000001", "log 0193f5a1-7c00-7000-8000-000000000001"),
        ("log 0193f5a1-7c00-7000-8000-000000000002.", "log (unknown id)."),
    ];
    for (text, wanted) in cases {
        check(text, wanted);
    }
}

#[test]
fn text_is_cut_between_characters() {
    assert_eq!(cut("äöü", 3), "äöü");
    assert_eq!(cut("äöüß", 3), "äö…");
    assert_eq!(cut("a b", 2), "a…");
    assert_eq!(cut("abc", 0), "…");
}

proptest! {
    #[test]
    fn clean_text_is_clean(text in "(\\PC|[<>!\\[\\]()`@:/. \u{1b}\u{200b}a-c]|https://|www\\.|\\.com|<b>|\\]\\(|@all){0,40}") {
        let allowed = Allowed::default();
        let once = untrusted(&text, &allowed, 300);
        prop_assert!(!once.chars().any(is_hidden));
        prop_assert!(!once.contains("![") && !once.contains("@all"));
        prop_assert!(!once.contains("://") && !once.contains("](") && !once.contains("```"), "{once}");
        prop_assert!(once.chars().count() <= 300);
        prop_assert_eq!(untrusted(&once, &allowed, 300), once.clone());
        prop_assert!(!line(&text, 300).contains("<b"));
    }
}
