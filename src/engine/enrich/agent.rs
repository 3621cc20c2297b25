//! The family of a user agent: which program it is, without versions and platforms.

use std::sync::LazyLock;

use aho_corasick::{automaton::Automaton, automaton::OverlappingState, nfa::contiguous::NFA};

use super::category::scan;

/// Longer ones are cut: what tells the family stands within this.
const MAX_BYTES: usize = 512;

/// What stands in a user agent, and whose it is. The first that is found decides: bots say that they are
/// browsers, and browsers that they are each other.
const FAMILIES: &[(&str, &str)] = &[
    ("googlebot", "googlebot"),
    ("adsbot-google", "googlebot"),
    ("mediapartners-google", "googlebot"),
    ("feedfetcher-google", "googlebot"),
    ("bingbot", "bingbot"),
    ("msnbot", "bingbot"),
    ("bingpreview", "bingbot"),
    ("yandex", "yandexbot"),
    ("baiduspider", "baiduspider"),
    ("duckduckbot", "duckduckbot"),
    ("yahoo! slurp", "yahoo-slurp"),
    ("facebookexternalhit", "facebookbot"),
    ("facebot", "facebookbot"),
    ("meta-externalagent", "facebookbot"),
    ("twitterbot", "twitterbot"),
    ("linkedinbot", "linkedinbot"),
    ("applebot", "applebot"),
    ("ahrefsbot", "ahrefsbot"),
    ("semrushbot", "semrushbot"),
    ("mj12bot", "mj12bot"),
    ("petalbot", "petalbot"),
    ("bytespider", "bytespider"),
    ("amazonbot", "amazonbot"),
    ("gptbot", "gptbot"),
    ("ccbot", "ccbot"),
    ("slackbot", "slackbot"),
    ("discordbot", "discordbot"),
    ("telegrambot", "telegrambot"),
    ("whatsapp", "whatsapp"),
    ("uptimerobot", "uptimerobot"),
    ("pingdom", "pingdom"),
    ("kube-probe", "kube-probe"),
    ("elb-healthchecker", "elb-healthchecker"),
    ("googlehc", "googlehc"),
    ("prometheus", "prometheus"),
    ("curl/", "curl"),
    ("libcurl", "curl"),
    ("wget/", "wget"),
    ("python-requests", "python-requests"),
    ("python-urllib", "python-urllib"),
    ("python-httpx", "python-httpx"),
    ("aiohttp", "aiohttp"),
    ("scrapy", "scrapy"),
    ("go-http-client", "go-http-client"),
    ("okhttp", "okhttp"),
    ("apache-httpclient", "apache-httpclient"),
    ("java/", "java"),
    ("axios/", "axios"),
    ("node-fetch", "node-fetch"),
    ("undici", "undici"),
    ("postmanruntime", "postman"),
    ("insomnia", "insomnia"),
    ("libwww-perl", "libwww-perl"),
    ("guzzlehttp", "guzzle"),
    ("faraday", "faraday"),
    ("reqwest", "reqwest"),
    ("grpc-", "grpc"),
    ("dart/", "dart"),
    ("cfnetwork", "cfnetwork"),
    ("powershell", "powershell"),
    ("aws-sdk", "aws-sdk"),
    // Every other one that says so; behind the tools, whose names may hold the word.
    ("bot", "bot"),
    ("crawler", "bot"),
    ("spider", "bot"),
    ("slurp", "bot"),
    ("feedburner", "feed-reader"),
    ("feedbin", "feed-reader"),
    ("feedly", "feed-reader"),
    ("commafeed", "feed-reader"),
    (" subscribers", "feed-reader"),
    (" readers", "feed-reader"),
    ("headlesschrome", "headless-chrome"),
    ("edg/", "edge"),
    ("edge/", "edge"),
    ("edga/", "edge"),
    ("edgios/", "edge"),
    ("opr/", "opera"),
    ("opera", "opera"),
    ("vivaldi", "vivaldi"),
    ("samsungbrowser", "samsung-internet"),
    ("ucbrowser", "uc-browser"),
    ("fxios", "firefox"),
    ("firefox/", "firefox"),
    ("crios", "chrome"),
    ("chrome/", "chrome"),
    ("chromium", "chrome"),
    ("msie ", "internet-explorer"),
    ("trident/", "internet-explorer"),
    ("konqueror", "konqueror"),
    ("lynx/", "lynx"),
    ("dalvik/", "dalvik"),
    ("safari/", "safari"),
    ("applewebkit", "webkit"),
    ("mozilla/", "mozilla"),
];

static AUTOMATON: LazyLock<Option<NFA>> =
    LazyLock::new(|| scan::automaton(FAMILIES.iter().map(|(mark, _)| *mark)));

/// `chrome`, `curl`, `googlebot`, … or `other`.
pub fn user_agent_family(user_agent: &str) -> &'static str {
    let Some(automaton) = AUTOMATON.as_ref() else { return "other" };
    let text = user_agent.as_bytes();
    let input = aho_corasick::Input::new(text.get(..MAX_BYTES).unwrap_or(text));
    let mut state = OverlappingState::start();
    let mut first = usize::MAX;
    while automaton.try_find_overlapping(&input, &mut state).is_ok() {
        let Some(hit) = state.get_match() else { break };
        first = first.min(hit.pattern().as_usize());
    }
    FAMILIES.get(first).map_or("other", |(_, family)| family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_has_a_family() {
        let webkit = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)";
        for (user_agent, family) in [
            (format!("{webkit} Chrome/120.0.0.0 Safari/537.36"), "chrome"),
            (format!("{webkit} Chrome/120.0.0.0 Safari/537.36 Edg/120.0"), "edge"),
            (format!("{webkit} Chrome/120.0.0.0 Safari/537.36 OPR/105.0"), "opera"),
            (format!("{webkit} HeadlessChrome/120.0.0.0 Safari/537.36"), "headless-chrome"),
            (format!("{webkit} SamsungBrowser/23.0 Chrome/115.0 Mobile Safari/537.36"), "samsung-internet"),
            (format!("{webkit} Version/17.1 Safari/605.1.15"), "safari"),
            (format!("{webkit} CriOS/119.0 Mobile/15E148 Safari/604.1"), "chrome"),
            (format!("{webkit} FxiOS/119.0 Mobile/15E148 Safari/605.1"), "firefox"),
            ("Mozilla/5.0 (X11; Linux i686; rv:120.0) Gecko/20100101 Firefox/120.0".to_owned(), "firefox"),
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)".to_owned(), "internet-explorer"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko".to_owned(),
                "internet-explorer",
            ),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)".to_owned(),
                "googlebot",
            ),
            (format!("{webkit} Chrome/1.0 Safari/537.36 (compatible; bingbot/2.0)"), "bingbot"),
            ("Mozilla/5.0 (compatible; SomeNewBot/1.0)".to_owned(), "bot"),
            ("my crawler".to_owned(), "bot"),
            ("curl/8.4.0".to_owned(), "curl"),
            ("Wget/1.21".to_owned(), "wget"),
            ("python-requests/2.31.0".to_owned(), "python-requests"),
            ("okhttp/4.12.0".to_owned(), "okhttp"),
            ("Go-http-client/1.1".to_owned(), "go-http-client"),
            ("kube-probe/1.28".to_owned(), "kube-probe"),
            ("PostmanRuntime/7.36".to_owned(), "postman"),
            ("-".to_owned(), "other"),
            (String::new(), "other"),
            ("our own client".to_owned(), "other"),
            ("x".repeat(MAX_BYTES) + "curl/8", "other"),
        ] {
            assert_eq!(user_agent_family(&user_agent), family, "{user_agent}");
        }
    }

    #[test]
    fn the_marks_are_an_automaton() {
        assert!(AUTOMATON.is_some());
        assert!(FAMILIES.iter().all(|(mark, _)| !mark.bytes().any(|byte| byte.is_ascii_uppercase())));
    }
}
