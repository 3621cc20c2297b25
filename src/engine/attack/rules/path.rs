//! Ways out of the directory that is served, and files that are nobody's to see.

use super::{Rule, Severity, rule};
use Severity::{Critical, High, Low, Medium};

const TAG: &str = "attack:path_traversal";

/// For paths and values alike.
pub(super) const RULES: &[Rule] = &[
    rule(
        "path-01",
        TAG,
        Medium,
        "The path climbs to a parent directory.",
        r#"[\x01\x02/\\=:"'\s;,(]\.\.+;?[/\\]|[/\x02]\.\.;"#,
    ),
    rule(
        "path-02",
        TAG,
        Critical,
        "A file that tells about the machine, its users or its secrets is asked for.",
        r"\betc/+(?:passwd|shadow|master\.passwd|hosts|group|gshadow|issue|sudoers|ssh/|crontab|fstab|hostname|resolv\.conf|apache2?/|nginx/|httpd/|mysql/|my\.cnf|php|environment|profile|security/)|\bproc/+(?:self|version|cmdline|cpuinfo|mounts|net|\d+)\b|\bboot\.ini\b|\bwin(?:dows|nt)?[/\\]+(?:win\.ini|system\.ini|system32|repair|debug|panther|php\.ini)|\bwin\.ini\b|\bvar/+(?:log/+(?:auth|apache|httpd|nginx|secure|messages|syslog|mail|wtmp|lastlog|dmesg)|www/+html/)|/\.ssh/|\bid_[dr]sa\b|\.aws/(?:credentials|config)|/\.bash_(?:history|profile)|\.ht(?:passwd|access)\b|\bwp-config\.(?:php|bak|old|txt)|\b(?:web|meta)-inf[/\\]|\b(?:applicationhost|web)\.config\b",
    ),
    rule("path-03", TAG, High, "A NUL cuts off the rest of the path.", r"\x7f"),
];

/// For paths alone.
pub(super) const TARGETS: &[Rule] = &[
    rule(
        "path-04",
        TAG,
        High,
        "A hidden file that holds secrets or source is asked for.",
        r"/\.(?:git|svn|hg|bzr|cvs|env|aws|ssh|docker|kube|azure|gcloud|npmrc|netrc|pgpass|my\.cnf|bash\w*|zsh\w*|profile|ftpconfig|vscode|idea|ds_store|terraform|gnupg|subversion|history|mysql_history|config)(?:[/.~\x01-]|$)",
    ),
    rule(
        "path-05",
        TAG,
        Medium,
        "Settings in a hidden directory of a tool are asked for.",
        r"/\.[a-z0-9]\w*/(?:[\w.-]+/)*[\w.-]*(?:config|settings?|secrets?|credentials?|rules|history|mcp|\.(?:json|ya?ml|toml|env|ini|cfg|conf|md|sh|py|db|sqlite|key|pem|log|\w{1,8}rc|aider))\b",
    ),
    rule(
        "path-06",
        "attack:scanner",
        Low,
        "A path that only those ask for who look for a known hole.",
        r"/vendor/phpunit/|/eval-stdin\.php|/hnap1\b|/boaform/|/_ignition/execute-solution|/actuator/(?:env|heapdump|gateway|jolokia)\b|/jmx-console\b|/invoker/jmxinvokerservlet|/cgi-bin/(?:test-cgi|printenv|php|luci)|/manager/html\b|/setup-config\.php|/solr/admin/|/phpmyadmin\d?/scripts/setup|/(?:shell|cmd|c99|r57|wso|webshell)\.(?:php|jspx?|aspx?)\b|/autodiscover/autodiscover\.json\?@|/wp-content/[\w/.-]*\.(?:sql|bak|zip)\b|/(?:backup|dump|database|db)\.(?:sql|zip|tar\.gz)\b",
    ),
    rule("proto-05", "attack:protocol", Medium, "A line end stands in the path.", r"\n"),
];
