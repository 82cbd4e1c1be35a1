//! Lines of records that repeat what was learnt, and those that do not.

use vsr_core::records::{MOST_BYTES, Piece, Pieces, Table};

const PLAIN: &[u8] =
    br#"{"query": "q", "model_name": "m", "performance": 0.25, "cost": 1e-3, "response": ["a", {"b": null}]}"#;

fn taught() -> Table {
    let mut table = Table::default();
    assert!(!table.take(PLAIN));
    assert!(table.learn(3, Some(1)));
    table
}

#[test]
fn a_line_is_taken_once_its_query_and_model_are_known() {
    let mut table = taught();
    assert!(table.take(PLAIN));
    assert!(table.take(b"{\"performance\":1,\"model_name\":\"m\",\"query\":\"q\"}\r\n"));
    for new in [
        br#"{"query": "q2", "model_name": "m", "performance": 1}"#.as_slice(),
        br#"{"query": "q", "model_name": "n", "performance": 1}"#,
        br#"{"query": "q", "model_name": "m", "performance": 1, "category": "math"}"#,
    ] {
        assert!(!table.take(new));
    }
    table.push(0, 0, &[Some(1.0), Some(2.0), None, None, None, None]);
    assert_eq!((table.n_taken(), table.n_records()), (2, 3));
    let all = table.finish(10);
    assert_eq!(all.cells, [31, 31, 0]);
    assert_eq!(all.measured[0], [0.25, 1.0, 1.0]);
    assert!(all.measured[1][0].is_nan() && all.measured[1][2] == 2.0);
    assert_eq!(all.measured[2][0], 1e-3);
    assert!(all.measured[3].is_empty());
}

#[test]
fn a_model_that_is_left_out_is_counted_alone() {
    let mut table = Table::default();
    assert!(!table.take(PLAIN));
    table.learn(0, None);
    assert!(table.take(PLAIN));
    assert_eq!((table.n_taken(), table.n_left_out(), table.n_records()), (1, 1, 0));
}

#[test]
fn what_is_not_plain_is_neither_taken_nor_learnt() {
    let mut table = taught();
    let with = |more: &str| format!(r#"{{"query": "q", "model_name": "m", "performance": 1, {more}}}"#).into_bytes();
    assert!(table.take(&with(r#""error": "", "unscored": false, "messages": null, "x": "\u00e9\\""#)));
    for more in [
        r#""error": "timeout""#,
        r#""unscored": true"#,
        r#""judged": 0.5"#,
        r#""cost": -1"#,
        r#""cost": 1e7"#,
        r#""cost": "1""#,
        r#""cost": 01"#,
        r#""performance": 1"#,
        r#""x": "\ud83d""#,
        r#""x": "\x""#,
        r#""x": "	""#,
        r#""x": [1, ]"#,
        r#""x": tru"#,
        r#""x": 1e999"#,
    ] {
        assert!(!table.take(&with(more)), "{more}");
        assert!(!table.learn(0, Some(0)), "{more}");
    }
    assert!(!table.take(&[&with(r#""x": 1"#)[..], b"{}"].concat()));
    assert!(!table.take(b"{\"query\": \"q\", \"model_name\": \"m\", \"performance\": 1, \"x\": \"\xff\"}"));
}

#[test]
fn a_watched_table_counts_responses_and_leaves_the_first_and_unknown_fields() {
    let line = |response: &str, name: &str| {
        format!(r#"{{"query":"q","model_name":"m","performance":1,"response":{response},"{name}":1}}"#).into_bytes()
    };
    let mut table = Table::default();
    table.watch([b"known".to_vec()]);
    assert!(!table.take(&line("null", "known")));
    assert!(table.learn(0, Some(0)));
    assert!(table.take(&line("\"\"", "known")));
    assert!(!table.take(&line("\"A\"", "known")));
    assert!(table.learn(0, Some(0)));
    assert!(table.take(&line("\"A\"", "known")) && table.take(&line("\"B\"", "known")));
    assert!(!table.take(&line("\"A\"", "unknown")));
    let counts = &table.counts()[0];
    assert_eq!(counts.0, b"\"m\"");
    assert_eq!((counts.1.n_lines, counts.1.n_responses, counts.1.n_same), (3, 2, 1));
}

#[test]
fn lines_arrive_whole_from_blocks_of_any_size() {
    let text = b"one\n\nthree and more\nlast".as_slice();
    for size in 1..=text.len() {
        let (mut pieces, mut lines, mut blocks) = (Pieces::default(), Vec::new(), text.chunks(size));
        loop {
            match pieces.next_line() {
                Piece::Line(line) => lines.push(pieces.line(line).to_vec()),
                Piece::More if pieces.is_whole() => break,
                Piece::More => pieces.feed(blocks.next().unwrap_or_default()),
            }
        }
        assert_eq!(lines, [b"one\n".as_slice(), b"\n", b"three and more\n", b"last"]);
    }
}

#[test]
fn a_line_that_is_too_long_comes_in_pieces() {
    let mut pieces = Pieces::default();
    pieces.feed(&vec![b'x'; MOST_BYTES + 3]);
    pieces.feed(b"\ny\n");
    let mut lengths = Vec::new();
    while let Piece::Line(line) = pieces.next_line() {
        lengths.push(line.len());
    }
    assert_eq!(lengths, [MOST_BYTES + 1, 3, 2]);
}
