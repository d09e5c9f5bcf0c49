//! Proof that the search finds what it looks for.

use std::{collections::BTreeSet, fmt::Write};

use base64::{Engine, prelude::*};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{
    encodings::{of_number, of_text},
    markers::{Kind, MARKERS, Marker},
    search::Search,
};

/// What other programs than the search's own make of a text.
fn written(marker: &Marker) -> Vec<(&'static str, Vec<u8>)> {
    let (text, bytes) = (marker.value, marker.value.as_bytes());
    let mut forms: Vec<(&'static str, Vec<u8>)> = Vec::new();
    let mut add = |name, form: &dyn AsRef<[u8]>| forms.push((name, form.as_ref().to_vec()));
    #[derive(Debug)]
    #[allow(dead_code, reason = "it is shown")]
    struct Within<'a> {
        name: &'static str,
        value: Vec<Option<&'a [u8]>>,
    }
    add("plain", &bytes);
    add("percent", &utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
    add("URL of a form", &serde_json_of_query(text));
    add("JSON", &json!({ "a": text }).to_string());
    add("JSON within JSON", &json!(json!(text).to_string()).to_string());
    add("Debug", &format!("{:?}", Some(text)));
    add("Debug of bytes", &format!("{bytes:?}"));
    add("pretty bytes", &format!("{:#?}", Within { name: "x", value: vec![Some(bytes)] }));
    add("Bytes", &format!("{:?}", bytes::Bytes::copy_from_slice(bytes)));
    // At every alignment, as a part of something else.
    for before in ["", "u", "AC", "key"] {
        let within = format!("{before}{text}:x");
        add("base64", &BASE64_STANDARD.encode(&within));
        add("URL-safe base64", &BASE64_URL_SAFE_NO_PAD.encode(&within));
        let mut hex = String::new();
        within.bytes().for_each(|byte| write!(hex, "{byte:02x}").expect("hex"));
        add("hex", &hex);
        add("upper hex", &hex.to_uppercase());
    }
    let utf16: Vec<u16> = text.encode_utf16().collect();
    add("UTF-16 LE", &utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>());
    add("UTF-16 BE", &utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>());
    add("reversed", &text.chars().rev().collect::<String>());
    let sha256 = Sha256::digest(bytes);
    add("SHA-256", &sha256);
    add("SHA-256, cut", &&sha256[..16]);
    add("SHA-256 in hex", &format!("{sha256:x}"));
    add("SHA-1", &Sha1::digest(bytes));
    add("SHA-256 in base64", &BASE64_STANDARD.encode(sha256));
    if let Kind::Number { code } = marker.kind {
        let digits = &text[1..];
        let national = &digits[code..];
        add("digits", &digits);
        add("national", &format!("0{national}"));
        add(
            "spaced",
            &format!(
                "+{} {} {} {}",
                &digits[..code],
                &national[..3],
                &national[3..6],
                &national[6..]
            ),
        );
        add("American", &format!("({}) {}-{}", &national[..3], &national[3..6], &national[6..]));
        add("hash of digits", &Sha256::digest(digits));
        add("a number", &digits.parse::<u64>().expect("digits").to_le_bytes());
    }
    forms
}

/// As a browser writes a form.
fn serde_json_of_query(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%20", "+")
}

/// Bytes that hold nothing: the same at every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_is_marked_is_found_however_it_is_written() {
    let search = Search::for_markers();
    let noise = noise(5000);
    assert_eq!(search.all_in(&noise), BTreeSet::new());
    for marker in MARKERS {
        for (form, bytes) in written(marker) {
            let around = [&noise[..711], &bytes, &noise[..1024]].concat();
            let found = search.all_in(&around);
            assert!(
                found.iter().any(|(name, _)| *name == marker.name),
                "{} is not found as {form}: {}",
                marker.name,
                bytes.escape_ascii()
            );
            // And nothing else: what is found is where it is said to be.
            assert!(found.iter().all(|(name, _)| *name == marker.name), "{form}: {found:?}");
        }
    }
}

#[test]
fn every_form_is_found_by_itself() {
    let search = Search::for_markers();
    for marker in MARKERS {
        let forms = match marker.kind {
            Kind::Number { code } => of_number(marker.value, code),
            Kind::Text => of_text(marker.value),
        };
        assert!(forms.len() > 40, "{}", marker.name);
        for (form, bytes) in forms {
            let found = search.all_in(&[b"...", &bytes[..], b"..."].concat());
            assert!(found.contains(&(marker.name, &*form)), "{} as {form}", marker.name);
        }
    }
}

#[test]
#[should_panic(expected = "USER")]
fn a_find_fails_a_test() {
    Search::for_markers().finds_nothing_in("a text", b"tel:%2B14155557301&");
}
