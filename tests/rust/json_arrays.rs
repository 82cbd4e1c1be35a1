use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, ArrayD, IxDyn};
use rand::Rng;
use vsr_core::json_arrays::{NumberArray, Part, Precision, Values, read, write};
use vsr_core::{Error, Result};

use crate::data;

/// A file of its own for each test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("vsr-json-arrays-{}-{name}.json", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn with(name: &str, text: impl AsRef<[u8]>) -> Self {
        let scratch = Self::new(name);
        std::fs::write(&scratch.0, text).unwrap();
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

type Read = Result<(String, Vec<(String, NumberArray)>)>;

fn read_text(name: &str, text: impl AsRef<[u8]>, patterns: &[(&str, Precision)]) -> Read {
    let patterns: Vec<_> = patterns.iter().map(|(path, precision)| ((*path).to_owned(), *precision)).collect();
    read(Scratch::with(name, text).path(), &patterns)
}

fn float64(shape: &[usize], values: &[f64]) -> NumberArray {
    NumberArray { shape: shape.to_vec(), values: Values::Float64(values.to_vec()) }
}

/// The message without the file's name.
fn refusal(name: &str, text: impl AsRef<[u8]>, pattern: &str) -> String {
    match read_text(name, text, &[(pattern, Precision::Float64)]) {
        Err(error @ Error::Artefact { .. }) => error.to_string().split_once(".json: ").unwrap().1.to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn takes_arrays_out_and_leaves_the_rest() {
    let text = r#" {"a": [1, 2.5e0 ,-3] , "b": {"x" :[[1],[2]], "y":[[ 3 ],[4]]}, "c": [{"v": [1,2], "k": "[1]\"]"}, {"k": null, "v":[3,4]}],
        "d": [true, false, 1e5, {}], "e\u0041.f": "\\", "g": []} "#;
    let patterns = [
        ("a", Precision::Float64),
        ("b.*", Precision::Float64),
        ("c[].v", Precision::Float64),
        ("g", Precision::Float64),
        ("nothing.here", Precision::Float32),
    ];
    let (document, arrays) = read_text("takes", text, &patterns).unwrap();
    let expected = [
        ("a", float64(&[3], &[1.0, 2.5, -3.0])),
        ("b.x", float64(&[2, 1], &[1.0, 2.0])),
        ("b.y", float64(&[2, 1], &[3.0, 4.0])),
        ("c[].v", float64(&[2, 2], &[1.0, 2.0, 3.0, 4.0])),
        ("g", float64(&[0], &[])),
    ];
    assert_eq!(arrays, expected.map(|(path, array)| (path.to_owned(), array)));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let rest = serde_json::json!({"a": null, "b": {"x": null, "y": null}, "c": [{"v": null, "k": "[1]\"]"}, {"k": null, "v": null}],
        "d": [true, false, 1e5, {}], "eA.f": "\\", "g": null});
    assert_eq!(document, rest);
}

#[test]
fn wildcards_match_indexes_and_any_depth_of_lists() {
    let text = r#"{"w": [[[1,2],[3,4]], [[5]]], "s": [[[1,2]],[[3,4]]], "deep": [{"m": [[1],[2]]}, {"m": [[3],[4]]}]}"#;
    let patterns = [("w.*", Precision::Float64), ("s[]", Precision::Float64), ("deep[].m", Precision::Float64)];
    let (_, arrays) = read_text("wildcards", text, &patterns).unwrap();
    let shapes: Vec<_> = arrays.iter().map(|(path, array)| (path.as_str(), array.shape.as_slice())).collect();
    assert_eq!(shapes, [("w.0", [2, 2].as_slice()), ("w.1", &[1, 1]), ("s[]", &[2, 1, 2]), ("deep[].m", &[2, 2, 1])]);
}

#[test]
fn every_number_reads_back_as_it_was() {
    let mut rng = data::rng(1);
    let singles: Vec<f32> =
        std::iter::repeat_with(|| f32::from_bits(rng.r#gen())).filter(|x| x.is_finite()).take(30_000).collect();
    let doubles: Vec<f64> =
        std::iter::repeat_with(|| f64::from_bits(rng.r#gen())).filter(|x| x.is_finite()).take(9_000).collect();
    let corners = [0.0, -0.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, f32::EPSILON, 1e-45, 0.1, 1.0, 1e10, 16_777_216.0];
    let singles: Vec<f32> =
        singles.into_iter().chain(corners).chain((0..9_989).map(|i| i as f32 / 1000.0 - 5.0)).collect();
    let parts = [
        Part::Text("{\"f\":".to_owned()),
        Part::Float32(ArrayD::from_shape_vec(IxDyn(&[singles.len() / 100, 10, 10]), singles.clone()).unwrap()),
        Part::Text(",\"d\":".to_owned()),
        Part::Float64(Array1::from(doubles.clone()).into_dyn()),
        Part::Text(",\"i\":".to_owned()),
        Part::Int64(Array1::from(vec![0, -1, i64::MAX, i64::MIN]).into_dyn()),
        Part::Text("}".to_owned()),
    ];
    let file = Scratch::new("numbers");
    write(file.path(), &parts).unwrap();
    let patterns = [("f".to_owned(), Precision::Float32), ("d".to_owned(), Precision::Float64)];
    let (document, arrays) = read(file.path(), &patterns).unwrap();
    assert_eq!(document, format!("{{\"f\":null,\"d\":null,\"i\":[0,-1,{},{}]}}", i64::MAX, i64::MIN));
    let Values::Float32(found) = &arrays[0].1.values else { unreachable!() };
    assert!(found.iter().zip(&singles).all(|(a, b)| a.to_bits() == b.to_bits()));
    let Values::Float64(found) = &arrays[1].1.values else { unreachable!() };
    assert!(found.iter().zip(&doubles).all(|(a, b)| a.to_bits() == b.to_bits()));
    // An ordinary parser reads the same file.
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&file.0).unwrap()).unwrap();
    assert_eq!(value["f"].as_array().unwrap().len(), singles.len() / 100);
}

#[test]
fn shapes_survive_with_empty_axes_too() {
    let file = Scratch::new("shapes");
    for (shape, text) in [
        (vec![0], "[]"),
        (vec![0, 3], "[]"),
        (vec![2, 0], "[[],[]]"),
        (vec![2, 0, 3], "[[],[]]"),
        (vec![1, 2, 1], "[[[0.0],[0.0]]]"),
        (vec![2, 1, 2], "[[[0.0,0.0]],[[0.0,0.0]]]"),
    ] {
        write(file.path(), &[Part::Float32(ArrayD::zeros(shape))]).unwrap();
        assert_eq!(std::fs::read_to_string(&file.0).unwrap(), text);
    }
    let transposed = Array2::from_shape_vec((2, 3), vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap().reversed_axes();
    write(file.path(), &[Part::Float32(transposed.into_dyn())]).unwrap();
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "[[1.0,4.0],[2.0,5.0],[3.0,6.0]]");
}

#[test]
fn files_larger_than_the_window() {
    let rows = data::normal(30_000, 50, 1);
    let mut parts = vec![Part::Text("{\"records\":[".to_owned())];
    for (index, row) in rows.outer_iter().enumerate() {
        parts.push(Part::Text(format!(
            "{}{{\"text\":\"{}\",\"v\":",
            if index > 0 { "," } else { "" },
            "\\\"x]".repeat(index % 40)
        )));
        parts.push(Part::Float32(row.to_owned().into_dyn()));
        parts.push(Part::Text("}".to_owned()));
    }
    parts.push(Part::Text("],\"m\":".to_owned()));
    parts.push(Part::Float32(rows.clone().into_dyn()));
    parts.push(Part::Text("}".to_owned()));
    let file = Scratch::new("large");
    write(file.path(), &parts).unwrap();
    assert!(std::fs::metadata(&file.0).unwrap().len() > 30 << 20);
    let patterns = [("records[].v".to_owned(), Precision::Float32), ("m".to_owned(), Precision::Float32)];
    let (document, arrays) = read(file.path(), &patterns).unwrap();
    for (_, array) in &arrays {
        assert_eq!(array.shape, [30_000, 50]);
        let Values::Float32(found) = &array.values else { unreachable!() };
        assert_eq!(found, rows.as_slice().unwrap());
    }
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["records"][39]["text"].as_str().unwrap().len(), 39 * 3);
}

#[test]
fn says_what_is_wrong_with_an_array_and_where() {
    assert_eq!(refusal("w1", r#"{"a": [[1,2],[3]]}"#, "a"), "a, row 1: 1 numbers, expected 2");
    assert_eq!(refusal("w2", r#"{"a": [[1,2],[3,4,5]]}"#, "a"), "a, row 1: 3 numbers, expected 2");
    assert_eq!(refusal("w3", r#"{"a": [1, "2"]}"#, "a"), "a: item 1 is \"\\\"2\\\"\", expected a finite number");
    assert_eq!(refusal("w4", r#"{"a": [1, null]}"#, "a"), "a: item 1 is \"null\", expected a finite number");
    assert_eq!(refusal("w5", r#"{"a": [1, NaN]}"#, "a"), "a: item 1 is \"NaN\", expected a finite number");
    assert_eq!(refusal("w6", r#"{"a": [1, 1e999]}"#, "a"), "a: item 1 is \"1e999\", expected a finite number");
    assert_eq!(refusal("w7", r#"{"a": [1, 2,]}"#, "a"), "a: item 2 is \"\", expected a finite number");
    assert_eq!(
        refusal("w8", r#"{"r": [{"e": [1,2]}, {"e": [3,x]}]}"#, "r[].e"),
        "r[1].e: item 1 is \"x\", expected a finite number"
    );
    let kind = "; the file is damaged or of another kind";
    assert_eq!(refusal("w9", r#"{"a": null}"#, "a"), format!("a: expected a list of numbers, found 'n'{kind}"));
    assert_eq!(refusal("w10", r#"{"a": "x"}"#, "a"), format!("a: expected a list of numbers, found a string{kind}"));
    assert_eq!(
        refusal("w11", r#"{"a": [[1],[[2]]]}"#, "a"),
        format!("a: ragged: item 1 has shape [1, 1], expected [1]{kind}")
    );
    assert_eq!(refusal("w12", r#"{"a": [[1], 2]}"#, "a"), format!("a: expected a list, as before it, found '2'{kind}"));
    assert_eq!(refusal("w13", r#"{"a": [1, [2]]}"#, "a"), format!("a: ragged: a list among numbers{kind}"));
    assert_eq!(
        refusal("w14", r#"{"r": [{"e": [1]}, {"x": 1}, {"e": [1]}]}"#, "r[].e"),
        format!("r[2].e: no such array in item 1{kind}")
    );
    assert_eq!(refusal("w15", r#"{"r": [{"e": [1]}, {"x": 1}]}"#, "r[].e"), "r[].e is missing in item 1 of 2");
    assert_eq!(
        refusal("w16", r#"{"r": [{"e": [[1]]}, {"e": [[1],[2]]}]}"#, "r[].e"),
        format!("r[1].e: shape [2, 1], expected [1, 1] as in the first item{kind}")
    );
    assert_eq!(refusal("w17", r#"{"a": [1], "a": [2]}"#, "a"), format!("a: the same key twice{kind}"));
    assert_eq!(
        refusal("w18", r#"{"r": [{"e": [1], "e": [2]}]}"#, "r[].e"),
        format!("r[0].e: the same key twice{kind}")
    );
}

#[test]
fn says_what_is_wrong_with_a_document() {
    let kind = "; the file is damaged or of another kind";
    assert_eq!(refusal("d1", "", "a"), format!("expected a value, found the end of the file: it was cut off{kind}"));
    assert_eq!(refusal("d2", "{} {}", "a"), format!("more text after its end{kind}"));
    assert_eq!(
        refusal("d3", r#"{"b": [1, {"c" 1}]}"#, "a"),
        format!("b.1: expected a colon after the key, found '1'{kind}")
    );
    assert_eq!(
        refusal("d4", r#"{"b": 1 "c": 2}"#, "a"),
        format!("expected a comma or the end of the object, found a string{kind}")
    );
    assert_eq!(refusal("d5", "{b: 1}", "a"), format!("expected a key in double quotes, found 'b'{kind}"));
    assert_eq!(
        refusal("d6", "{\"b\": \"\\", "a"),
        format!("b: expected the end of a string, found the end of the file: it was cut off{kind}")
    );
    assert_eq!(refusal("d7", b"{\"b\": \"\xff\"}", "a"), "not UTF-8; expected a JSON document");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refusal("d8", &deep, "a").contains("nested deeper than 64 levels"));
    assert!(refusal("d9", format!("{{\"a\":{deep}}}"), "a").contains("nested deeper than 64 levels"));
    assert!(matches!(read("/nowhere/at/all.json", &[]), Err(Error::Io { .. })));
}

#[test]
fn a_byte_order_mark_is_no_harm() {
    let (document, arrays) = read_text("bom", b"\xef\xbb\xbf{\"a\": [1]}", &[("a", Precision::Float64)]).unwrap();
    assert_eq!((document.as_str(), arrays.len()), ("{\"a\":null}", 1));
}

#[test]
fn no_cut_and_no_changed_byte_makes_it_panic() {
    let text = br#"{"a": [[1.5, -2e3], [0.25, 7]], "r": [{"e": [1, 2], "t": "\u00e9\\"}, {"e": [3, 4], "t": null}], "z": true}"#;
    let patterns = [("a", Precision::Float32), ("r[].e", Precision::Float64)];
    assert!(read_text("whole", text, &patterns).is_ok());
    for length in 0..text.len() {
        assert!(read_text("cut", &text[..length], &patterns).is_err(), "cut at {length}");
    }
    let mut rng = data::rng(2);
    for _ in 0..3000 {
        let mut changed = text.to_vec();
        for _ in 0..rng.gen_range(1..4) {
            let position = rng.gen_range(0..changed.len());
            changed[position] = *b"{}[]\",:0e-.nx \\\xff".get(rng.gen_range(0..16)).unwrap();
        }
        if let Ok((document, arrays)) = read_text("changed", &changed, &patterns) {
            for (_, array) in arrays {
                let n_values = match array.values {
                    Values::Float32(values) => values.len(),
                    Values::Float64(values) => values.len(),
                };
                assert_eq!(array.shape.iter().product::<usize>(), n_values, "{}", String::from_utf8_lossy(&changed));
            }
            drop(document);
        }
    }
}

#[test]
fn refuses_patterns_that_are_none_and_numbers_that_json_lacks() {
    for pattern in ["", "a..b", "[]", "a[].b[]"] {
        assert!(
            matches!(read_text("pattern", "{}", &[(pattern, Precision::Float32)]), Err(Error::Value(_))),
            "{pattern}"
        );
    }
    let file = Scratch::new("refused");
    let not_finite = Array3::from_elem((1, 2, 2), f32::NAN).into_dyn();
    let error = write(file.path(), &[Part::Text("[".to_owned()), Part::Float32(not_finite)]).unwrap_err().to_string();
    assert_eq!(error, "parts[1]: number 0 is not finite, which JSON cannot say");
    assert!(!file.0.exists());
    assert!(write(file.path(), &[Part::Float64(ArrayD::zeros(IxDyn(&[])))]).is_err());
    assert!(matches!(write("/nowhere/at/all.json", &[]), Err(Error::Io { .. })));
}
