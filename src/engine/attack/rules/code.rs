//! Code of the server's own languages, its template engines and its object formats.

use super::{Rule, Severity, rule};
use Severity::{Critical, High, Medium};

const TEMPLATE: &str = "attack:template_injection";
const PHP: &str = "attack:php_injection";
const JAVA: &str = "attack:java_injection";
const CODE: &str = "attack:code_injection";

/// For every part of a request.
pub(super) const RULES: &[Rule] = &[
    rule(
        "log4shell-01",
        "attack:log4shell",
        Critical,
        "A lookup would make the logging library load code from elsewhere.",
        r"\$\s?\{?\s?\{?[^\x01\s]*\bjndi\s?:|\$\{\s?jndi|\$\{[^\x01}]*\$\{[^\x01}]*:|\$\{\s?(?:lower|upper|env|sys|date|main|ctx|bundle|k8s|docker|web|base64|java|:+-?\w?)\s?:|\$\{:+-\w|\{jndi:",
    ),
    rule(
        "php-01",
        PHP,
        Critical,
        "The value holds PHP.",
        r"<\?\s?(?:php|=)|<\?[\s\x01]|<\?xml\s?[:(]|[\[{][/\\]?php[\]}]",
    ),
    rule(
        "php-02",
        PHP,
        High,
        "PHP's variables of the request or of the server are named.",
        r"\$_(?:get|post|request|cookie|server|files|session|env)\b|\$globals\b|\$\{'",
    ),
    rule(
        "php-03",
        PHP,
        High,
        "A stream wrapper of PHP is named.",
        r"\b(?:php|phar|expect|glob|zlib|ogg|rar|ssh2|compress\.\w+)://|\bdata://",
    ),
    rule(
        "tpl-01",
        TEMPLATE,
        High,
        "An expression for a template engine is sent.",
        r"\{\{[^\x01]*(?:\d\s?[*]\s?'?\d|__\w+__|\.constructor|\b(?:config|self|request|lipsum|cycler|joiner|namespace)\b[.\[|(]|\|\s?(?:attr|safe|map|filter)|\b(?:popen|exec|eval|import|system|getclass|passthru)\b)|\{%[^\x01]*(?:import|include|for|set|if|debug)\s|\{php\}",
    ),
    rule(
        "tpl-02",
        TEMPLATE,
        High,
        "Code between the marks of a template engine is sent.",
        r"<%[=#@!\s]?[^\x01]*%>|[#$*@~]\s?\{\s?(?:\d+\s?[*]\s?\d|t\(|\w[\w.]*\([^\x01]*\)|[\w.]*(?:runtime|getclass|processbuilder|session|servletcontext)\b)|<#assign\s|#set\s?\(\s?\$|\$\{\{|\[\[\$?\{",
    ),
    rule(
        "java-01",
        JAVA,
        Critical,
        "Classes of Java are named that run commands or load code.",
        r"\bjava\.lang\.(?:runtime|processbuilder|class|system|thread)\b|\bgetruntime\s?\(|\bprocessbuilder\s?[(.]|\bruntime\.exec|\.getclass\s?\(|\bclass\.forname|\bscriptenginemanager|\bjavax\.(?:script|naming)\b|\bclass\.(?:module\.)?classloader|\bclassloader\s?[.(]|#_memberaccess|\(#\w+\s?=|\bognl\.|\bxmldecoder\b|\bjava\.(?:io\.(?:file|bufferedreader|printwriter|objectinputstream)|net\.url|util\.(?:hashmap|scanner|priorityqueue)|beans\.\w+)\b|\bcom\.opensymphony\.|\bcom\.sun\.rowset\b|\borg\.apache\.(?:struts2|commons\.collections|xalan)\b|\bfreemarker\.template\.utility",
    ),
    rule(
        "java-02",
        JAVA,
        Critical,
        "A serialised object of Java, or a link of a chain that runs code when one is read.",
        r"\bro0ab[a-z0-9+/=]|\bkztaau|\bcs7qaf|\baced0005|\b(?:clone|constant|instantiate|invoker|chained|map)transformer\b|\b(?:for|while|transformer)closure\b|\b(?:instantiate|prototypeclone|prototypeserialization)factory\b",
    ),
    rule(
        "code-01",
        CODE,
        High,
        "The prototype of all objects of a script is to be changed.",
        r"__proto__|\bconstructor\s?[.\[\x01:{\s]+\]?['\x22\x01]?\s?prototype\b|\bconstructor\]\s?\[prototype|\.constructor\.constructor|\bconstructor\s?\.\s?constructor\s?\(",
    ),
    rule(
        "code-02",
        CODE,
        Critical,
        "Code for Node.js runs a command or loads a module.",
        r"_\$\$nd_func\$\$_|\brequire\s?\(\s?['\x22\x01\x60]?\s?(?:child_process|fs|os|net|vm|http|util)\b|\bchild_process\b|\bprocess\s?\.\s?(?:mainmodule|binding|exit\s?\(|env\b|dlopen)|\bglobal\.process\b|\.(?:spawn|execfile|exec)(?:sync)?\s?\(\s?['\x22\x01\x60\[]|\brequire\.main\b|\bthis\.constructor\b",
    ),
    rule(
        "code-03",
        CODE,
        Critical,
        "Code for Ruby, Python or Perl runs a command or reads an object.",
        r"\b(?:process\.(?:spawn|daemon|kill)|kernel\.(?:exec|system|open|spawn)|io\.popen|open3\.\w+|marshal\.load)\s?[(\s]|%x[{(\[]\s?\w|@\{\s?\[|\bos\.(?:system|popen|exec\w*|spawn\w*)\s?\(|\bsubprocess\.(?:popen|run|call|check_output)|__import__\s?\(|__builtins__|__subclasses__|__globals__|\bpickle\.loads|\byaml\.(?:unsafe_)?load\s?\(|!!python/|!ruby/(?:object|hash)|!!java|\bcos\nsystem|c__builtin__|\beval\s?\(\s?(?:compile|base64|atob|\$_)",
    ),
];

/// For values alone: shorter marks, which a path or a user agent may hold for good reasons.
pub(super) const VALUES: &[Rule] = &[
    rule(
        "php-04",
        PHP,
        High,
        "A function of PHP is called.",
        r"(?:array|base64|call_user|convert|curl|file|func|get|gz|is|mb|ob|openssl|pcntl|posix|preg|print|proc|readgz|register|shell|show|str|stream|sys|var|zlib|move_uploaded|create|parse|ini|session|highlight|escapeshell|bz)_[a-z0-9_]+\s?=?\s?\(|(?:fsockopen|bzdecompress|gz(?:decode|inflate|uncompress|deflate|file|open)|strrev|phpinfo|passthru|unserialize|getmyuid|getcwd|scandir|opendir|readfile|gethostbyname)\s?=?\s?(?:\s?)\(|\b(?:system|exec|popen|eval|assert|include|require|fopen|fwrite|chr|implode)\s?\(\s?['\x22$\x01]|\becho\s?['\x22][^\x01]*['\x22]\s?;",
    ),
    rule(
        "php-05",
        PHP,
        Critical,
        "A serialised object of PHP is sent.",
        r#"(?:^|[^a-z0-9])[oc]:\+?\s?\d+:["\x01'][^\x01"']*["\x01']:\d+:\{"#,
    ),
    rule(
        "php-06",
        PHP,
        High,
        "A setting of PHP is to be changed.",
        r"\b(?:allow_url_(?:include|fopen)|auto_(?:prepend|append)_file|disable_functions|open_basedir|safe_mode|extension_dir|memory_limit|unserialize_max_depth|cgi\.\w+_\w+|opcache\.\w+|mbstring\.\w+|zend\.\w+|suhosin\.\w+|display_errors|error_(?:log|reporting)|sendmail_path|max_execution_time|user_ini\.\w+)\s?=",
    ),
    rule(
        "php-07",
        PHP,
        High,
        "A name is put together or wrapped, then called as a function.",
        r#"["'\])}]\s?\(\s?['"]?[a-z][\w\s/.*-]*['"]?\s?\)\s?;"#,
    ),
    rule(
        "tpl-03",
        TEMPLATE,
        Medium,
        "An expression between marks of a template engine stands in a value.",
        r"\$\s?\{[^\x01]*\}|#\{[^\x01}]*[(*.][^\x01]*\}",
    ),
    rule(
        "code-04",
        CODE,
        High,
        "An uploaded file is named as code that the server would run.",
        r"file_?-?name\s?=\s?[\x01\x02]?[^\x01]*\.\s?(?:jspx?|jspf|php\d?|phtml|phar|aspx?|ashx|cgi|war|htaccess)[.\s]*\x01",
    ),
];
