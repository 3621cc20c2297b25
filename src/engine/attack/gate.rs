//! The one quick pass that lets honest texts go by: no rule is tried on a text without any of these marks.
//!
//! It reads texts and JSON alike. JSON may write a character otherwise than the text has it: a quote gets a
//! backslash in front, so that a mark may begin with one but not hold one further on; so may a slash, and any
//! character may be a `\u` escape, which are marks themselves.

use std::sync::LazyLock;

use super::{
    agents::{NAMES, PARTS},
    auth,
};

/// Escapes of URLs, Unicode and entities that hide what is looked for; `%20`, `%2C`, `%3A` and `%40` do not.
const ESCAPES: &str = r"%0 %21 %22 %23 %24 %25 %26 %27 %28 %29 %2a %2e %2f %3b %3c %3d %3e %41 %42 %43 %44 %45 %46 %47 %48 %49 %4a %4b %4c %4d %4e %4f %5 %6 %7 %a0 %c0 %c1 %e0%8 %ef%bc %u0 %uff %u20 \x2 \x3 \x4 \x5 \x6 \x7 \x0 \u{ &# &lt &gt &quot &apos &amp; &lbrace &lcub &tab &newline &colon &lpar &sol &dollar &nbsp ＜ ＇ ＄ ％ ．";

/// What JSON may write another way.
const JSON: &str = r"\u002 \u003 \u004 \u005 \u006 \u007 \uff \/";

/// Signs in an order that honest texts seldom have.
const SIGNS: &str = r##""$ ]a ]b ]c ]d ]e ]f ]g ]h ]i ]j ]k ]l ]m ]n ]o ]p ]q ]r ]s ]t ]u ]v ]w ]x ]y ]z [! <? <! <% </ <s <i <m <l <o <e <a <b <f <x <t <k <p <v <d <n <h ${ $( $[ $_ #{ {{ @{ *{ {% ~{ (){ ../ ..\ ..; '; '-- '# '| '! '' '= '^ '/* '&& ') "; "-- "# "|| /* `a `c `d `e `i `l `n `p `u `w `b `s `f `g `h `j `k `m `o `q `r `t `v `x `y `z `/ `) $# $@ $? || && ;| ;/ =;  =| =~ <( >( [$ =( =' ![ ][ !! []( ]( )( =[ "##;

/// Words, and parts of them, that an attack has to write.
const WORDS: &str = r"union select waitfor sleep( benchmark( randomblob schema pg_ xp_ sp_ sysobjects syscolumns sysusers sqlite_ msysacc msysobj mysql. sys.tables sys.databases tempdb msdb v$version all_tab user_tab load_file outfile dumpfile infile extractvalue updatexml group_concat concat_ws database( current_user session_user system_user user( version( char( iif( xor db_name @@ dbms_ utl_ xmltype elt( .e( .e. declare exec( execute shutdown truncate nd_func rlike regexp having lo_import column_name table_name schema_name $where
script onerror onload onclick onfocus onmouse ontoggle alert( confirm( prompt( eval( atob( btoa( settimeout setinterval msgbox fromcharcode function( document window. window[ self[ self. top[ top. parent. parent[ globalthis frames[ localstorage -moz- expression( @import data: adw- entity xinclude schemalocation import{ globaleval
/bin/ =bin/ whoami ifconfig ipconfig uname wget nslookup powershell pwsh cmd.exe certutil bitsadmin mshta rundll32 regsvr32 wmic regedit schtasks invoke- new-object start-process downloadstring /dev/tcp /dev/udp mkfifo alias $shell $ifs $path $home $bash %ifs passwd shadow etc/ proc/ boot.ini win.ini system.ini system32 win32 winnt windows\ windows/ var/log var/www .ssh id_rsa id_dsa .aws .ht web-inf meta-inf wp-config .config ;id |id ;ls |ls ;cat |cat ;ping |ping |sh |bash
169.254. 100.100.100. 192.0.0.192 metadata. instance-data fd00:ec2 latest/ localhost loopback localtest lvh.me vcap.me nip.io sslip.io xip.io .internal .svc gopher: dict: file: ldap: ldaps: tftp: sftp: jar: netdoc: local_file smb: =http: =https: =ftp: =// =127. =0. http:1 http:/1 http%3a1 http%3a0 http://0 https://0 http://1 https://1 ://2130 ://3232
jndi php: phar: expect: glob: zlib: rar: ssh2: _decode _func sockopen inflate gzdecode compress( shell_ _exec posix_ print_r strrev file_ is_array array_ assert( system( passthru phpinfo unserialize getcwd scandir opendir readfile popen globals o:1 o:2 o:3 o:4 o:5 o:6 o:7 o:8 o:9 allow_url auto_prepend auto_append disable_func open_basedir safe_mode extension_dir memory_limit max_depth opcache. mbstring. error_log display_errors [php [/php {php {/php
runtime processbuilder java.lang java.io java.net java.util java.beans getclass forname classloader scriptengine javax. memberaccess ognl xmldecoder opensymphony rowset transformer closure prototype ro0ab kztaa cs7qa aced0005 __ constructor child_process require( process. spawn( .exec io.popen open3 os.system os.popen os.exec subprocess pickle yaml. !ruby !!java %x
.cookie +http/ http/1.1\ http-equiv set-cookie remote-addr filename file-name file_name
/.a /.b /.c /.d /.e /.f /.g /.h /.i /.j /.k /.l /.m /.n /.o /.p /.q /.r /.s /.t /.u /.v /.w /.x /.y /.z phpunit eval-stdin hnap1 boaform /_ignition actuator/ jmx jolokia cgi-bin manager/html setup-config solr/ phpmyadmin autodiscover backup. dump. database. db.sql shell. c99. r57. wso.";

/// Words with a blank, however a request writes it.
const PAIRS: &str = r#"_` `_ '_or '_and '_union or_1 and_1 or_' and_' or_true order_by group_by drop_table drop_database alter_table create_table insert_into delete_from where_1 having_1 as_' '_from "_from ()_{ `; =if_ =for_ )_or )_and cat_/ ls_/ ls_- id_- nc_- sh_- curl_h curl_- php_- perl_- python_- rm_- echo_$ chmod_ '_like in_( &_for |_for ;_cat ;_id ;_ls ;_ping ;_sleep |_cat |_id ;_echo |_echo ;_nc |_nc ;_curl"#;

/// Words that honest logs are full of; a mark is looked for by what does not stand here, where it can be.
const HONEST: &str = r#"{"timestamp":"2026-01-11T22:52:57.160Z","received_at":"2025-06-30T14:33:48.799Z","level":"INFO WARN ERROR DEBUG","service":"api-gateway","message":"request completed status=200 duration=15ms for user","correlation_id":"req-","trace_id":"span_id","user_id":"u-20133","component":"router","endpoint":"/api/v1/products/450246","environment":"production","metadata":{"latency_ms":9,"http_status":200,"method":"GET","region":"us-east-1","pod":"version":"3.12.7","host":"source_type","category","logger","thread","stack_trace","error_type","sample_rate","tags"}} 192.168.26.226 - - [10/Oct/2025:13:55:36 +0000] "POST /index.html HTTP/1.1" 200 "https://www.example.com/" "Mozilla/5.0 (X11; Linux x86_64; Macintosh; Intel Mac OS X 10_15_7; Windows NT 10.0; Win64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Firefox at org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:166) connection timeout closed login succeeded failed session order payment transaction image search cache checkout inventory forwarded upstream batch worker background account insert into update from where order by client page storage product context function return true false null invalid validation authorization authentication notification information not found retry attempt queue started finished processing"#;

/// A mark, and where in it stand the bytes that it is looked for by.
struct Mark {
    /// The classes of those bytes; of two bytes the second stands last, and no third is asked for.
    key: usize,
    offset: usize,
    text: String,
}

/// The marks, and a filter in front of them that a text is read with: each mark is looked for by the three bytes
/// of it, one behind the other, that are seldom elsewhere. A byte takes one load of its class and one of the
/// filter, no step waits for the one before, and the tables stay in the nearest cache.
struct Gate {
    classes: [u8; 256],
    /// For the classes of two bytes a bit for each class that may follow.
    filter: Vec<u64>,
    /// Where the marks begin that are looked for by the classes of two bytes.
    starts: Box<[u16; PAIRS_OF_CLASSES + 1]>,
    /// In the order of their keys.
    marks: Vec<Mark>,
}

/// As many as a word has bits.
const CLASSES: usize = 64;
const PAIRS_OF_CLASSES: usize = CLASSES * CLASSES;

static GATE: LazyLock<Gate> = LazyLock::new(|| Gate::new(marks()));
static WITH_LOGINS: LazyLock<Gate> =
    LazyLock::new(|| Gate::new(marks().chain(auth::MARKS.iter().map(|mark| (*mark).to_owned()))));

/// Whether any rule might be met by the text, or by a text in the JSON.
pub(super) fn may_hold(text: &[u8]) -> bool {
    GATE.may_hold(text)
}

/// Whether any rule might be met, or a login have failed: both questions in one pass.
pub(super) fn may_hold_or_tell_of_a_login(text: &[u8]) -> bool {
    WITH_LOGINS.may_hold(text)
}

/// The marks of attacks.
fn marks() -> impl Iterator<Item = String> {
    let fixed = [ESCAPES, JSON, SIGNS, WORDS].into_iter().flat_map(str::split_ascii_whitespace);
    let names = NAMES.iter().chain(PARTS).copied();
    let pairs = PAIRS.split_ascii_whitespace();
    let pairs = pairs.flat_map(|pair| [" ", "+", "%20", "/**/"].map(|blank| pair.replace('_', blank)));
    fixed.chain(names).map(str::to_owned).chain(pairs)
}

impl Gate {
    fn new(all: impl Iterator<Item = String>) -> Self {
        let mut honest = vec![0; PAIRS_OF_CLASSES];
        for window in HONEST.as_bytes().windows(3) {
            let [first, second, third] = *window else { continue };
            if let Some(word) = honest.get_mut(pair(class_of(first), class_of(second))) {
                *word |= 1 << class_of(third);
            }
        }
        let mut marks: Vec<Mark> = all.filter_map(|text| Mark::new(text, &honest)).collect();
        marks.sort_by_key(|mark| mark.key);
        let mut filter = vec![0; PAIRS_OF_CLASSES];
        let mut starts = Box::new([0; PAIRS_OF_CLASSES + 1]);
        for mark in &marks {
            if let Some(word) = filter.get_mut(mark.key) {
                *word |= mark.thirds();
            }
        }
        for (pair, start) in starts.iter_mut().enumerate() {
            *start = u16::try_from(marks.partition_point(|mark| mark.key < pair)).unwrap_or(u16::MAX);
        }
        let mut classes = [0; 256];
        for (byte, class) in (0..=255).zip(&mut classes) {
            *class = class_of(byte);
        }
        Self { classes, filter, starts, marks }
    }

    fn may_hold(&self, text: &[u8]) -> bool {
        let (mut first, mut second) = (0, 0);
        // Behind the last byte stands a zero, for the marks of two bytes.
        for (place, byte) in text.iter().enumerate() {
            let third = self.classes.get(usize::from(*byte)).copied().unwrap_or(0);
            let pair = pair(first, second);
            let word = self.filter.get(pair).copied().unwrap_or(0);
            if word >> (third % 64) & 1 == 1 && self.stands(pair, place, text) {
                return true;
            }
            (first, second) = (second, third);
        }
        let pair = pair(first, second);
        self.filter.get(pair).is_some_and(|word| *word & 1 == 1) && self.stands(pair, text.len(), text)
    }

    /// Whether a mark is there that is looked for by two bytes of such classes, with the third at this place.
    #[cold]
    fn stands(&self, pair: usize, third: usize, text: &[u8]) -> bool {
        let place = |pair: usize| self.starts.get(pair).map_or(0, |start| usize::from(*start));
        let marks = self.marks.get(place(pair)..place(pair + 1)).unwrap_or_default();
        marks.iter().any(|mark| {
            let start = third.checked_sub(mark.offset + 2);
            let there = start.and_then(|start| text.get(start..start + mark.text.len()));
            there.is_some_and(|there| there.eq_ignore_ascii_case(mark.text.as_bytes()))
        })
    }
}

impl Mark {
    /// `None` for a single byte, which no text could do without.
    fn new(text: String, honest: &[u64]) -> Option<Self> {
        let bytes = text.as_bytes();
        let rarity = |window: &[u8]| {
            let seldom = match *window {
                [first, second, third] => {
                    let word = honest.get(pair(class_of(first), class_of(second)));
                    word.is_none_or(|word| word >> class_of(third) & 1 == 0)
                }
                _ => true,
            };
            (seldom, window.iter().map(|byte| rarity(*byte)).sum::<u32>())
        };
        let (offset, window) =
            bytes.windows(bytes.len().clamp(2, 3)).enumerate().max_by_key(|(_, window)| rarity(window))?;
        let [first, second, ..] = *window else { return None };
        Some(Self { key: pair(class_of(first), class_of(second)), offset, text })
    }

    /// The classes of which the byte behind the two must be.
    fn thirds(&self) -> u64 {
        self.text.as_bytes().get(self.offset + 2).map_or(u64::MAX, |byte| 1 << class_of(*byte))
    }
}

/// Letters count without case. Every sign is a class of its own, since it is signs that tell marks from what
/// honest texts hold; digits share four, all that is left is one.
fn class_of(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 1 + byte - b'a',
        b'A'..=b'Z' => 1 + byte - b'A',
        b' '..=b'/' => 27 + byte - b' ',
        b':'..=b'@' => 43 + byte - b':',
        b'['..=b'`' => 50 + byte - b'[',
        b'{'..=b'~' => 56 + byte - b'{',
        b'0' => 60,
        b'1' => 61,
        b'2'..=b'5' => 62,
        b'6'..=b'9' => 63,
        _ => 0,
    }
}

fn pair(first: u8, second: u8) -> usize {
    (usize::from(first) * CLASSES + usize::from(second)) % PAIRS_OF_CLASSES
}

/// How seldom a byte stands in an ordinary log line, roughly.
fn rarity(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' => 0,
        b'd' | b'l' | b'c' | b'u' | b'm' | b'p' | b'0'..=b'9' => 2,
        b'a'..=b'z' | b'.' | b'/' | b':' | b'-' | b'_' | b'"' => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the gate says, without its filter.
    fn holds_a_mark(text: &[u8]) -> bool {
        GATE.marks
            .iter()
            .map(|mark| mark.text.as_bytes())
            .any(|mark| text.windows(mark.len()).any(|there| there.eq_ignore_ascii_case(mark)))
    }

    proptest! {
        #[test]
        fn the_filter_passes_over_no_mark_and_makes_none_up(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            pieces in proptest::collection::vec((0..2000_usize, 0..8_usize, "[ -~]{0,3}"), 0..4),
        ) {
            prop_assert_eq!(may_hold(&bytes), holds_a_mark(&bytes));
            // Marks that lack a byte or two, beside each other.
            let cut = |(n, skip, between): (usize, usize, String)| {
                let mark = &GATE.marks[n % GATE.marks.len()].text;
                mark.chars().skip(skip % 3).chain(between.chars()).collect::<String>()
            };
            let text: String = pieces.into_iter().map(cut).collect();
            prop_assert_eq!(may_hold(text.as_bytes()), holds_a_mark(text.as_bytes()), "{}", text);
        }
    }

    #[test]
    fn every_mark_is_found_wherever_it_stands() {
        for gate in [&*GATE, &*WITH_LOGINS] {
            for mark in gate.marks.iter().map(|mark| &mark.text) {
                for text in [
                    mark.clone(),
                    format!("x{mark}"),
                    format!("{}y", mark.to_uppercase()),
                    format!("ab{mark}yz"),
                ] {
                    assert!(gate.may_hold(text.as_bytes()), "{text}");
                }
            }
            assert!(gate.marks.len() > 800);
            assert!(!gate.may_hold(b"GET /api/v1/users/638347 served in 12 ms"));
        }
        assert!(WITH_LOGINS.marks.len() > GATE.marks.len());
    }

    #[test]
    fn a_mark_that_json_writes_otherwise_is_none() {
        let marks = [ESCAPES, SIGNS, WORDS, PAIRS].into_iter().flat_map(str::split_ascii_whitespace);
        for mark in marks.chain(auth::MARKS.iter().copied()) {
            let json = serde_json::to_string(mark).unwrap();
            assert!(json.contains(mark), "{mark}");
        }
    }
}
