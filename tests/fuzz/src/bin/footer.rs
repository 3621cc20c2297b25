//! Changed footers, their checksums right: an error or a footer, and never a panic.

use timberline::engine::block::{Opened, reader, view};
use timberline_fuzz::{run, segments};

fn main() {
    let seeds = segments::seeds();
    let end = seeds[0].bytes.clone();
    let texts: Vec<Vec<u8>> =
        seeds.iter().map(|s| serde_json::to_vec(&s.footer).expect("a footer")).collect();
    let words: &[&[u8]] = &[
        b"\"columns\":[],",
        b"\"shapes\":[[]],",
        b"[0,0]",
        b"[]",
        b"{}",
        b"null",
        b"4294967295",
        b"18446744073709551615",
        b"1e309",
        b"\\u0001x",
        b"\\u0001d",
        b"\"heads\":[0,0,0,0],",
        b"\"version\":2,",
    ];
    run("footer", &texts, words, |text| {
        let segment = segments::seal(&[], text, &end);
        let Ok(footer) = reader::footer(&segment) else { return };
        let Ok(opened) = Opened::new(footer) else { return };
        let _ = opened.weight();
        for (nth, block) in opened.footer.blocks.iter().enumerate() {
            for column in &block.columns {
                let filter = opened.filter(nth, column.column, &[1; 200]);
                let _ = view::filter_may_hold(filter, 0x1234_5678_9abc_def0);
                for (template, _) in opened.templates(column) {
                    let _ = template.has_word("took");
                }
            }
        }
    });
}
