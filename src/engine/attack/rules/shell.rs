//! Commands for a shell.

use super::{Rule, Severity, rule};
use Severity::{Critical, High, Low, Medium};

const TAG: &str = "attack:command_injection";

pub(super) const RULES: &[Rule] = &[
    rule(
        "cmd-01",
        TAG,
        Critical,
        "A known command follows a sign that starts a new one.",
        r#"(?:[;|\n]|&&)\s?(?:[\w/.-]*/)?(?:(?:ls|id|whoami|uname|wget|curl|nc|ncat|netcat|bash|zsh|ksh|csh|python[23]?|perl|ruby|php|nslookup|dig|ifconfig|ipconfig|netstat|chmod|chown|grep|awk|sed|ssh|scp|tftp|telnet|base64|xxd|printenv|sudo|crontab|systemctl|mkfifo|socat|gcc|hostname|pwd|powershell|pwsh|cmd\.exe|certutil|bitsadmin|mshta|rundll32|regsvr32|wmic|cscript|wscript|tasklist|systeminfo|schtasks|regedit|ping|env|uptime|lsof|dmesg|mysql|psql)(?:\s[-/.~$"'\w|<>%]|\s?[;|&`)<>]|\s?\x01)|(?:cat|echo|find|more|less|tail|head|touch|kill|sleep|type|dir|set|sh|rm|cp|mv|ps|su|at|sort|tee|tar|zip|unzip|time|service|export|exec|source|eval|net|nohup|xargs|who|last|top|del|copy)\s(?:-|/|\.|~|\$|\d|"|'|\*|<|>|%|[\w.-]*/))"#,
    ),
    rule(
        "cmd-02",
        TAG,
        High,
        "A shell would put the output of a command or the content of a variable here.",
        r"\$\(\s?[(a-z$/`\d]|\$\(\s?\)|[<>]\(\s?[a-z/]|\$\[|\$\{\s?[a-z_]+(?:[#%/:@^,\[][^}\x01]*)?\}|\$\{\s?[#!`:]|`\s?(?:[\w/]*/)?(?:id|ls|cat|echo|whoami|uname|wget|curl|nc|ping|sleep|bash|sh|env|pwd|ps|rm|nslookup|dig|touch|python[23]?|perl|php)\b|\$(?:shell|ifs|bash\w*|path|home|hostname|@|\*|\?)(?:[^\w]|\x01)",
    ),
    rule(
        "cmd-03",
        TAG,
        High,
        "A program is called by its path.",
        r#"(?:[\x01\x02\s=;|&`'"(<>/])(?:usr/)?(?:local/)?s?bin/[a-z\[]"#,
    ),
    rule(
        "cmd-04",
        TAG,
        High,
        "Wildcards and brackets hide the name of a file.",
        r"[\x01\x02\s=;|]/(?:[\w.?*-]*/)*[\w.?*-]*\[(?:[!^][\w-]+|[\w?*]|\w-\w|[^\]\x01/]*/[^\]\x01]*)\][\w/?*\[]|/(?:[\w]*\?+[\w?]*)/(?:[\w?]*\?+[\w?]*)(?:\s|\x01|/)",
    ),
    rule(
        "cmd-05",
        TAG,
        Critical,
        "A command of Windows is called in a way that only scripts and attackers do.",
        r#"\bcmd(?:\.exe)?\s?"?\s?/[ckr]\b|\b(?:powershell|pwsh)(?:\.exe)?\s(?:-|/|[a-z]:\\|&|\(|\.|"|iex)|\bcertutil(?:\.exe)?\s[-/]|\bbitsadmin(?:\.exe)?\s/|\bmshta(?:\.exe)?\s(?:https?:|javascript|vbscript)|\b(?:rundll32|regsvr32)(?:\.exe)?\s|\bwmic\s\w+\s(?:call|get|list)|\breg(?:edit)?(?:\.exe)?\s(?:add|query|export|save|/[a-z])\b|\bschtasks\s/|\binvoke-(?:webrequest|expression|command|restmethod|item|wmimethod)\b|\bnew-object\s(?:system\.)?net\.|\bstart-(?:process|bitstransfer)\b|\.downloadstring\s?\(|\biex\s?\("#,
    ),
    rule(
        "cmd-06",
        TAG,
        High,
        "A loop or condition of the Windows command line is sent.",
        r#"\bfor\s(?:[^\x01]*\s)?%[^\s\x01]+\sin\s?\(|[\x01\x02&|(]\s?if\s(?:/i\s)?(?:not\s)?(?:exist\s|defined\s|errorlevel\s|["%\[(!][^\x01]*==|\S+\s?={2,3}|[^\x01]*\s(?:equ|neq|lss|leq|gtr|geq)\s)"#,
    ),
    rule(
        "cmd-07",
        TAG,
        Critical,
        "A function definition as Shellshock sends it.",
        r"[\x01\x02]\s?\(\s?\)\s?\{",
    ),
    rule(
        "cmd-08",
        TAG,
        Medium,
        "A command gets another name.",
        r"[\x01\x02;&|]\s?alias\s(?:[-+]?\w+\s)*\S+=",
    ),
    rule(
        "cmd-09",
        TAG,
        Low,
        "The value is nothing but a directory's short name for a shell.",
        r"[\x01\x02]\s?~[+\s-]?\s?\d*\s?\x01",
    ),
    rule(
        "cmd-10",
        TAG,
        Critical,
        "A shell is to call back, or a program to be fetched and run.",
        r"/dev/(?:tcp|udp)/\w|\bnc(?:at)?\s-[a-z]*[elv]|\b(?:ba|z|k)?sh\s-[ic]\b|\bmkfifo\s|\b(?:python[23]?|perl|ruby|php|node|lua)\s-[cerm]\s|\bwget\s(?:-\S+\s)*(?:https?|ftp):|\bcurl\s(?:-\S+\s)*['\x22]?(?:https?|ftp):|\bchmod\s(?:[+]|[0-7]{3}|a?\s?[rwx])|\|\s?(?:ba|z|k)?sh\b",
    ),
    rule(
        "cmd-11",
        TAG,
        High,
        "The value begins as a command with its arguments.",
        r"[\x01\x02]\s?(?:(?:cat|ls|nc|rm|head|tail|find|chmod|nslookup|dig|ping|wget|curl|uname)\s(?:-\w|/|\.\./|~/|\$)|(?:whoami|ifconfig|ipconfig|uname|netstat)\s?(?:\x01|[;|]))",
    ),
];
