//! The id in a link: the one that was written, and the one that a browser's parser reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_message_feedback::{Correlate, CorrelationId, MessageForm, link_query};
use tower_message_feedback_fuzz::{Input, lossy};
use url::Url;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    if input.byte() % 2 == 0 {
        written(&mut input);
    } else {
        read(&lossy(input.rest()));
    }
});

/// What a rule for `id` finds in a text.
fn found(text: &str) -> Option<CorrelationId> {
    let form: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("Body", text).finish();
    link_query("id").correlate(&MessageForm::new(form.as_bytes()))
}

/// A link with an id, amid whatever else.
fn written(input: &mut Input<'_>) {
    let starts =
        ["https://app.example/c?", "http://localhost:8080?a=b&", "app.example/c?", "myapp://c?x&"];
    let start = starts[usize::from(input.byte()) % starts.len()];
    let befores = [" ", "\n", "(", "<", "\"", "\u{201c}", "。", ""];
    let before = befores[usize::from(input.byte()) % befores.len()];
    let afters = [
        " ", "\n", ") ", "> ", "\" ", "\u{201d}", "。", ".\n", "! ", "?! ", "...\n", ", ", "&x=1 ",
        "#top ", "",
    ];
    let after = afters[usize::from(input.byte()) % afters.len()];
    let id = input.text();
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let ahead = input.text();
    let behind = lossy(input.rest());
    // What ends with a letter would be a part of the link without a boundary.
    let ahead = if before.is_empty() || before == "(" { "" } else { &*ahead };
    let behind = if after.is_empty() { "" } else { &*behind };
    // A sentence's end is no part of a link.
    let bare = id.trim_end_matches(['.', '*']);
    if bare.is_empty() || found(ahead).is_some() {
        return;
    }
    let bare = if after.starts_with(['&', '#']) { &*id } else { bare };
    let text = format!("{ahead}{before}{start}id={id}{after}{behind}");
    let value =
        form_urlencoded::parse(format!("v={bare}").as_bytes()).next().unwrap().1.into_owned();
    assert_eq!(found(&text), Some(CorrelationId::from(value)), "{text:?}");
}

/// A text of any kind.
fn read(text: &str) {
    let found = found(text);
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%{}|".contains(c));
    let words: Vec<&str> = text.split(ends).filter(|word| word.contains('?')).collect();
    let Some(found) = found else {
        for word in words {
            assert!(!(is_plain(word) && id_of(word).is_some()), "missed: {word:?}");
        }
        return;
    };
    let mut first = true;
    for word in words {
        if is_plain(word) {
            if let Some(id) = id_of(word) {
                // Before it nothing else may have been found.
                assert!(!first || found == id, "another than that of {word:?}");
                if found == id {
                    return;
                }
            }
        } else {
            first = false;
            if candidates(word).any(|id| id == found) {
                return;
            }
        }
    }
    panic!("no link of the text has it");
}

/// Whether nobody would say of a word that it is anything but one link.
fn is_plain(word: &str) -> bool {
    let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric())
            && rest.ends_with(|c: char| c.is_ascii_alphanumeric())
            && parse(word).is_some()
    })
}

/// `idna_adapter` 1.0 asserts that no host is escaped. A browser takes any number of slashes
/// for two, and backslashes for them.
fn parse(link: &str) -> Option<Url> {
    let behind = link.split_once(':').map_or(link, |(_, behind)| behind);
    let authority = behind.trim_start_matches(['/', '\\']);
    let authority = authority.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    if authority.contains('%') {
        return None;
    }
    Url::parse(link).ok()
}

/// What a browser's parser reads: of the query, or else of the fragment.
fn id_of(link: &str) -> Option<CorrelationId> {
    let url = parse(link)?;
    first_of(url.query(), url.fragment())
}

fn first_of(query: Option<&str>, fragment: Option<&str>) -> Option<CorrelationId> {
    let first = |query: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(name, value)| name == "id" && !value.is_empty());
        found.map(|(_, value)| value.into_owned())
    };
    let in_fragment = || first(fragment?.split_once('?')?.1);
    query.and_then(first).or_else(in_fragment).map(CorrelationId::from)
}

/// What there is to read of a link to nowhere, which a browser opens not.
fn id_of_broken(link: &str) -> Option<CorrelationId> {
    let (link, fragment) = link.split_once('#').unwrap_or((link, ""));
    first_of(link.split_once('?').map(|(_, query)| query), Some(fragment))
}

/// The ids of everything in a word that may be a link, without what may be a sentence's.
fn candidates(word: &str) -> impl Iterator<Item = CorrelationId> {
    let begins = |at: usize| {
        let is_letter = |at: usize| word.as_bytes()[at].is_ascii_alphanumeric();
        is_letter(at) && (at == 0 || !is_letter(at - 1))
    };
    let last = word.bytes().rposition(|byte| !b".,;:!?'*|)]}".contains(&byte)).unwrap_or(0);
    (0..word.len()).filter(move |at| begins(*at)).flat_map(move |start| {
        (last.max(start)..word.len()).flat_map(move |end| {
            let link = &word[start..=end];
            let by_host = || id_of(&format!("https://{link}"));
            id_of(link).or_else(by_host).or_else(|| id_of_broken(link))
        })
    })
}
