//! SQL where a value is expected.

use super::{Rule, Severity, rule};
use Severity::{Critical, High, Medium};

const TAG: &str = "attack:sqli";

pub(super) const RULES: &[Rule] = &[
    rule(
        "sqli-01",
        TAG,
        Critical,
        "A second query is joined to the first with UNION SELECT.",
        r"\bunion[\s(#-]+(?:(?:all|distinct)[\s(]+)?(?:select|distinctrowselect)\b",
    ),
    rule(
        "sqli-02",
        TAG,
        High,
        "A quote ends the text and a condition that an attacker chose follows it.",
        r#"['"`)]\s?\)*\s?(?:(?:x?or|and|having|rlike)\b|\|\||&&)[\s!~(+-]*(?:not\s)?['"`(]*[\w.@-]*['"`]?\s?\)*\s?(?:=|<|>|!=|(?:not\s)?(?:like|between|in|regexp|rlike|is)\b)"#,
    ),
    rule(
        "sqli-03",
        TAG,
        High,
        "A condition that is always or never true stands where a value should.",
        r#"\b(?:x?or|and|having|where|\|\||&&)[\s(!]+(?:not\s)?['"`]?\d+['"`]?\s?(?:=|<|>|<=>|!=|like\s|between\s|in\s?\()\s?['"`]?\(?\d*"#,
    ),
    rule(
        "sqli-04",
        TAG,
        High,
        "A quote ends the text and a comment hides the rest of the statement.",
        r#"[\w)]['"`]\s?\)*\s?;?\s?(?:--[\s\x01+-]|--\s?\x01|#\s?\x01|;\x7f|/\*)|@[\w.-]+['"`]\s?(?:;|--|#)"#,
    ),
    rule(
        "sqli-05",
        TAG,
        Critical,
        "A second statement is stacked behind the first.",
        r#"['"`)\]\d]\s?\)*;\s?(?:select|insert|update|delete|drop|alter|create|exec|execute|declare|shutdown|truncate|waitfor|merge|grant|call)[\s(@]|;\s?(?:drop\s(?:table|database|view|user|schema)|insert\sinto|delete\sfrom|update\s\S+\sset\s|alter\stable|create\s(?:table|user|database)\s|exec\s(?:xp_|sp_|master)|declare\s@|select\s[^\x01]*\bfrom\b|truncate\stable|shutdown\s?(?:--|;|\x01))"#,
    ),
    rule(
        "sqli-06",
        TAG,
        Critical,
        "The database is told to wait, which tells an attacker that it obeys.",
        r#"\b(?:sleep|benchmark|pg_sleep|randomblob)\s?\(\s?['"(\d]|\bselect[\s(]pg_sleep|\bwaitfor\s(?:delay|time)\s?['"\\]|\bdbms_(?:lock|session)\.sleep|dbms_pipe\.receive_message"#,
    ),
    rule(
        "sqli-07",
        TAG,
        High,
        "Names of the database's own catalogue are asked for.",
        r"\b(?:information_schema|pg_catalog|pg_shadow|pg_user|sysobjects|syscolumns|sysusers|sys\.(?:tables|databases|schemas|user_objects)|sqlite_(?:master|schema|temp_master)|mysql\.(?:db|user)\b|performance_schema|msysaccessobjects|msysobjects|all_tables|all_tab_columns|user_tab_columns|v\$version|table_schema\b)|[\x01\x02]\s?(?:tempdb|msdb|schema_name|table_name|column_name)\s?\x01|\b(?:from|use)\s(?:tempdb|msdb)\b",
    ),
    rule(
        "sqli-08",
        TAG,
        High,
        "Functions are called that read, write or leak through a database.",
        r"\b(?:load_file|extractvalue|updatexml|group_concat|concat_ws|string_agg|xmltype|utl_http\.request|utl_inaddr\.\w+|pg_read_file|pg_ls_dir|lo_import|lo_export|dblink_connect|db_name|sys_context|make_set|elt|procedure\sanalyse|to_regclass)\s?\(|[\x01\x02(]\s?(?:database|current_user|session_user|system_user|user|version)\s?\(\s?\)?\s?[\x01,)]|@@(?:version|hostname|datadir|servername|basedir)",
    ),
    rule(
        "sqli-09",
        TAG,
        High,
        "A query stands where a value should.",
        r#"\bselect(?:ect)?[\s(]+(?:\*|@@|(?:distinct|top|count|case|if|iif|sum|max|min|char|chr|ascii|concat|cast|convert|hex|unhex|substr(?:ing)?|user|version|database|elt|load_file|sleep|nullif|ifnull|coalesce|upper|lower|length)\s?[\s(*]|['"`]?[\w.]+['"`]?\s?,|\d+\s?,|[\w.`]+\()[^\x01]*(?:\bfrom\b|\()|[(=]\s?select\s[^\x01)]*(?:\bfrom\b|\(|@|case\b)|\bselect\s[\w.,*`\s]+\sfrom\s[\w.`]+\s(?:where|limit|order\sby|union|group\sby)\b|\bselect(?:ect)?[\s(]+(?:char|chr|ascii|concat|cast|convert|hex|unhex|substr|substring|user|database|version|iif|if|load_file|sleep|group_concat)\s?\(|\x02\s?['"`]\s?;?\s?select\s|\bselect\*|\bselect\s?[^\w\s]?\s?/?\s?\d+\s?,\s?\d+"#,
    ),
    rule(
        "sqli-10",
        TAG,
        Critical,
        "A query writes a file or reads one.",
        r"\binto\s(?:out|dump)file\b|\bload\sdata\s(?:local\s)?infile\b|\bcopy\s[\w.(]+[^\x01]*\s(?:from|to)\sprogram\b|\battach\sdatabase\s['\x22]",
    ),
    rule(
        "sqli-11",
        TAG,
        High,
        "A statement that changes tables or data stands where a value should.",
        r#"\b(?:alter|drop|truncate)\s(?:table|database|schema)\s[`"\w\[]|\bcreate\stable\s[\w`."\[\]]+\s?(?:\(|as\b|\x01)|\binsert\sinto\s[\w`."]+\s?(?:\(|values|select)|\bupdate\s[\w`."]+\sset\s[\w`."]+\s?=|\bdelete\sfrom\s[\w`."]+\s(?:where\b|;|--)"#,
    ),
    rule(
        "sqli-12",
        TAG,
        Medium,
        "A quoted alias in front of FROM is the middle of a statement.",
        r#"\bas\s?["'`]\w*["'`]?\s?from\b|["'`]\s?as\s["'`]?\w+["'`]?\sfrom\b|\bas\s?["'`]\s?from\b|[`"]\s?(?:r(?:egexp|like)|sounds\slike)\b"#,
    ),
    rule(
        "sqli-13",
        TAG,
        High,
        "Text is written as a hexadecimal number to need no quotes.",
        r"(?:select|concat(?:_ws)?|char|union|set|or|and|where|like|regexp|in|,|=)[\s(=]*0x[0-9a-f]{8}",
    ),
    rule(
        "sqli-14",
        TAG,
        Medium,
        "A number in scientific notation stands before a name to confuse filters.",
        r"\b\d+\.e(?:\(|\.[a-z]|\s?\w*\()",
    ),
    rule(
        "sqli-15",
        TAG,
        High,
        "An operator between two quotes joins the input to the statement around it.",
        r#"['"`]\s?(?:!=|<>|<=>|\|\||!)\s?['"`]|['"]\s?\|\|\s?(?:\(|[a-z_]+\()|[\x02]\s?['"]\s?[=+^]\s?['"]"#,
    ),
    rule(
        "sqli-16",
        TAG,
        Medium,
        "The number of columns is tried out.",
        r#"['"`)\d]\s(?:order|group)\sby\s\d+\s?(?:--|#|,|\x01|;)|\bhaving\s\d+\s?[=<>]"#,
    ),
    rule(
        "sqli-17",
        TAG,
        High,
        "Operators of a document database stand where a value should.",
        r"\[\$(?:ne|gte?|lte?|n?in|regex|where|exists|or|and|not|eq)\]|\x01\s?\$(?:ne|gt|where|regex|nin|exists|expr|function)\s?\x01\s?:|\$where\s?['\x22]?\s?[:=]",
    ),
    rule(
        "sqli-18",
        TAG,
        Critical,
        "A stored procedure or a variable of the database server is used.",
        r"\bexec(?:ute)?\s(?:immediate\b|master\b|xp_|sp_|\(@)|\bxp_(?:cmdshell|dirtree|regread|fileexist|servicecontrol)|\bsp_(?:executesql|oacreate|configure|makewebtask|password)\b|\bdeclare\s@\w+\s|\bmaster(?:\.\.|\.dbo\.)",
    ),
];
