use vsr_core::embedding::hash::embed;

fn similarity(a: &str, b: &str) -> f32 {
    let vectors = embed(&[a, b], 768).unwrap();
    vectors.row(0).dot(&vectors.row(1))
}

#[test]
fn rows_are_units_even_of_empty_texts() {
    let vectors = embed(&["What is 2 + 2?", "", "   \n", "?", "a", "\u{1f600}"], 32).unwrap();
    for row in vectors.outer_iter() {
        assert!((row.dot(&row) - 1.0).abs() < 1e-6);
    }
    assert_eq!(vectors.row(1), vectors.row(2));
    assert_eq!(vectors[(1, 0)], 1.0);
}

#[test]
fn case_white_space_and_composition_do_not_count() {
    let vectors = embed(&["\u{c9}tude  de\ncas", "e\u{301}tude de cas", " \u{e9}TUDE DE CAS "], 256).unwrap();
    assert_eq!(vectors.row(0), vectors.row(1));
    assert_eq!(vectors.row(0), vectors.row(2));
}

#[test]
fn a_text_has_the_same_vector_in_any_company() {
    let texts: Vec<String> =
        (0..500).map(|i| format!("Question {i}: how many primes are below {}? {}", i * 7, "x ".repeat(i))).collect();
    let together = embed(&texts, 100).unwrap();
    for index in [0, 3, 499] {
        assert_eq!(embed(&texts[index..=index], 100).unwrap().row(0), together.row(index));
    }
}

#[test]
fn likeness_follows_words_and_spelling() {
    let query = "Compute the derivative of the sine function";
    assert!(similarity(query, "compute the derivative of the cosine function") > 0.6);
    assert!(
        similarity(query, "Computing derivatives of sine functions")
            > similarity(query, "Who painted the Mona Lisa?") + 0.2
    );
    assert!(similarity("2+2", "2*2") < 0.99);
}

#[test]
fn values_are_the_same_everywhere() {
    let vector = embed(&["The quick brown fox: na\u{ef}ve \u{4f60}\u{597d}!"], 8).unwrap();
    let bits: Vec<u32> = vector.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, GOLDEN, "{bits:?}");
}

const GOLDEN: [u32; 8] =
    [0xbd9d_6222, 0xbf37_9d27, 0x3e6c_1333, 0xbe37_9d27, 0x3dd1_d82d, 0xbeaa_7fa5, 0xbdd1_d82d, 0x3f03_271c];

#[test]
fn no_texts_and_one_bucket() {
    assert_eq!(embed::<&str>(&[], 5).unwrap().dim(), (0, 5));
    assert_eq!(embed(&["one bucket holds everything"], 1).unwrap()[(0, 0)].abs(), 1.0);
    assert_eq!(embed(&["a"], 0).unwrap_err().to_string(), "dim: 0, expected at least 1");
}
