//! Words that make a question of what is asked, and are no part of it.

use std::{collections::HashSet, sync::LazyLock};

/// Words that only hold a sentence together.
static FILLERS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "a about above across actual actually after again also am an and any anybody anyone appear appeared \
     are around as asap at available be been before being below between but by came can check come \
     comes coming could current dear did display do does doing done during each entire every exactly \
     exist exists fetch few filter find for from gave get gets getting give gives giving go goes going \
     gone got had hand happen happened happening happens has have having hello help here hey hi how i \
     i'd i'm if in inside into is it its just keep keeps know last latest let like list logged look \
     looking looks lot lots made make many may maybe me might more most much must my need now occur \
     occured occurred occurring of off ok okay on one ones only or our ours out over past per please \
     pls plz possible produce produced pull quick quickly query recent related regarding report \
     reported reports said same saw say says search see seeing seen sent shall should show showed shown \
     showing since so some somebody someone still such tell than thank thanks that the their them then \
     there these they this those through throughout throw throwing thrown throws till to too took total \
     try trying under until up us use using very via view want wanted was we we're well went were what \
     when where whether which while who whose will wish with within would you your yes you'd i've we've \
     there's cause causing caused o'clock utc gmt raised emitted written wrote print printed dump bring \
     grep hour code codes named called thx ty cheers guys folks mate sir kind sort sorted yo yet ever \
     ago number dont seem seems kindly time times period range affecting against hits hitting lead \
     leading touching responded answered returned returning returns ended occurs users' level levels \
     severity"
        .split_whitespace()
        .collect()
});

/// What everything in a log service is called.
static NOUNS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "log logs entry entries line lines record records event events message messages request requests \
     call calls response responses traffic occurrence occurrences instance instances result results \
     hits everything anything something stuff things thing all data output activity logfile logfiles \
     logging alerts item items rows row logline loglines services service endpoints endpoint operations"
        .split_whitespace()
        .collect()
});

/// Words that ask for what a search cannot answer; they are told to who asked.
static BEYOND: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "why because explain reason reasons compare compared comparing comparison versus vs than predict \
     tomorrow next average avg mean median percentile p50 p90 p95 p99 sum max min maximum minimum \
     unusual anomaly anomalies anomalous abnormal normal healthy health spike spikes spiking root \
     summary summarize summarise analyze analyse can't couldn't won't wouldn't didn't cet cest est edt \
     pst pdt cst mst bst ist jst correlate correlated similar fix solve should've fast faster duration \
     latency down responding working work works running alive wtf damn slower longer often usually \
     interesting important bad weird strange odd"
        .split_whitespace()
        .collect()
});

/// Whether a word holds a sentence together and says nothing.
pub(super) fn is_filler(word: &str) -> bool {
    FILLERS.contains(word)
}

/// Whether a word means logs as such.
pub(super) fn is_noun(word: &str) -> bool {
    NOUNS.contains(word)
}

/// Whether a word asks for more than a search can do.
pub(super) fn is_beyond(word: &str) -> bool {
    BEYOND.contains(word)
}

/// Whether a word cannot be the value of anything.
pub(super) fn is_stop(word: &str) -> bool {
    is_filler(word) || is_beyond(word)
}

/// What says that the next is not wanted.
pub(super) const NEGATIONS: &[&str] = &[
    "except for",
    "except from",
    "except of",
    "except",
    "excepting",
    "other than",
    "apart from",
    "aside from",
    "rather than",
    "instead of",
    "but not",
    "but no",
    "but without",
    "and not",
    "not",
    "no",
    "without",
    "w/o",
    "excluding",
    "exclude",
    "excludes",
    "excluded",
    "ignoring",
    "ignore",
    "minus",
    "skip",
    "skipping",
    "hide",
    "omit",
    "omitting",
    "don't",
    "dont",
    "doesn't",
    "doesnt",
    "isn't",
    "aren't",
    "wasn't",
    "weren't",
    "never",
    "nor",
    "neither",
    "none",
    "sans",
    "anything but",
    "everything but",
    "all but",
    "nothing but",
    "lacking",
    "missing",
];

/// What says that words of a log follow, and how they are meant.
pub(super) const LITERAL: &[&str] = &[
    "containing",
    "contains",
    "contain",
    "which contain",
    "saying",
    "that say",
    "that says",
    "saying that",
    "with the phrase",
    "with phrase",
    "with the text",
    "with text",
    "with the message",
    "with message",
    "the phrase",
    "the text",
    "the string",
    "with the string",
    "matching",
    "that match",
    "reading",
    "stating",
    "text",
    "phrase",
    "string",
];
pub(super) const WORDS: &[&str] = &[
    "with the words",
    "with the word",
    "with words",
    "with word",
    "containing the words",
    "containing the word",
    "contain the word",
    "contains the word",
    "the words",
    "the word",
    "word",
    "words",
    "keyword",
    "keywords",
    "with keyword",
    "search for",
    "including",
    "include",
    "includes",
];
pub(super) const ABOUT: &[&str] = &[
    "mentioning",
    "mention",
    "mentions",
    "that mention",
    "regarding",
    "concerning",
    "related to",
    "relating to",
    "about",
    "having to do with",
    "referring to",
];
