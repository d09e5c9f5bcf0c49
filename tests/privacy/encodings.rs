//! How a text may stand in bytes that a person or a program reads.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Shorter ones would be found by chance.
const SHORTEST: usize = 8;

/// Every form of `text`, with its name.
pub(crate) fn of_text(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut forms = Forms::default();
    forms.spelled("", text);
    forms.add("lower case", text.to_lowercase());
    forms.add("upper case", text.to_uppercase());
    forms.add("reversed", text.chars().rev().collect::<String>());
    forms.hashed("", text.as_bytes());
    forms.0
}

/// Every form of a phone number in E.164 whose country code has `code` digits.
pub(crate) fn of_number(number: &str, code: usize) -> Vec<(String, Vec<u8>)> {
    let digits = number.trim_start_matches('+');
    let national = &digits[code..];
    let (area, local) = national.split_at(3);
    let (exchange, line) = local.split_at(3);
    let mut forms = Forms::default();
    forms.spelled("", number);
    // The national digits stand in the international ones, too.
    forms.spelled("national ", national);
    forms.add("with spaces", format!("{area} {exchange} {line}"));
    forms.add("with hyphens", format!("{area}-{exchange}-{line}"));
    forms.add("with dots", format!("{area}.{exchange}.{line}"));
    forms.add("with parentheses", format!("({area}) {exchange}-{line}"));
    forms.add("with a stroke", format!("{area}/{local}"));
    forms.add("reversed", national.chars().rev().collect::<String>());
    for (name, digits) in [("", digits), ("national ", national)] {
        let value: u64 = digits.parse().expect("digits");
        forms.add(&format!("{name}number LE"), value.to_le_bytes());
        forms.add(&format!("{name}number BE"), value.to_be_bytes());
        forms.hashed(name, digits.as_bytes());
    }
    forms.hashed("+", number.as_bytes());
    forms.0
}

#[derive(Default)]
struct Forms(Vec<(String, Vec<u8>)>);

impl Forms {
    fn add(&mut self, name: &str, form: impl AsRef<[u8]>) {
        let form = form.as_ref();
        let known = self.0.iter().any(|(_, known)| known == form);
        if form.len() >= SHORTEST && !known {
            self.0.push((name.to_owned(), form.to_vec()));
        }
    }

    fn spelled(&mut self, prefix: &str, text: &str) {
        let bytes = text.as_bytes();
        let each = |form: fn(&u8) -> String| bytes.iter().map(form).collect::<String>();
        let but_alphanumerics = |form: fn(&u8) -> String| {
            let one = |byte: &u8| match byte.is_ascii_alphanumeric() {
                true => char::from(*byte).to_string(),
                false => form(byte),
            };
            bytes.iter().map(one).collect::<String>()
        };
        let utf16 = || text.encode_utf16();
        let unicode = |form: fn(u16) -> String, all: bool| {
            let one = |unit: u16| match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii_alphanumeric() && !all => char::from(byte).to_string(),
                _ => form(unit),
            };
            utf16().map(one).collect::<String>()
        };
        let mut add = |name: &str, form: &[u8]| self.add(&format!("{prefix}{name}"), form);
        add("plain", bytes);
        add("percent, upper", each(|b| format!("%{b:02X}")).as_bytes());
        add("percent, lower", each(|b| format!("%{b:02x}")).as_bytes());
        let percent = but_alphanumerics(|b| format!("%{b:02X}"));
        add("form, upper", percent.as_bytes());
        add("form with plus", percent.replace("%20", "+").as_bytes());
        add("percent twice", percent.replace('%', "%25").as_bytes());
        add("form, lower", but_alphanumerics(|b| format!("%{b:02x}")).as_bytes());
        let debug = format!("{text:?}");
        add("Debug of a string", &debug.as_bytes()[1..debug.len() - 1]);
        add("Debug of that", debug[1..debug.len() - 1].escape_default().to_string().as_bytes());
        add("escaped ASCII", bytes.escape_ascii().to_string().as_bytes());
        let json = serde_json::to_string(text).expect("JSON");
        add("JSON", &json.as_bytes()[1..json.len() - 1]);
        let twice = serde_json::to_string(&json).expect("JSON");
        add("JSON within JSON", &twice.as_bytes()[3..twice.len() - 3]);
        add("JSON, lower", unicode(|unit| format!("\\u{unit:04x}"), true).as_bytes());
        add("JSON, upper", unicode(|unit| format!("\\u{unit:04X}"), true).as_bytes());
        add("JSON, some lower", unicode(|unit| format!("\\u{unit:04x}"), false).as_bytes());
        add("JSON, some upper", unicode(|unit| format!("\\u{unit:04X}"), false).as_bytes());
        add("HTML", but_alphanumerics(|b| format!("&#{b};")).as_bytes());
        add("HTML, hex", but_alphanumerics(|b| format!("&#x{b:x};")).as_bytes());
        add("\\x, all", each(|b| format!("\\x{b:02x}")).as_bytes());
        add("octal, all", each(|b| format!("\\{b:03o}")).as_bytes());
        add("hex, lower", each(|b| format!("{b:02x}")).as_bytes());
        add("hex, upper", each(|b| format!("{b:02X}")).as_bytes());
        add("hex, spaced", each(|b| format!("{b:02x} ")).trim_end().as_bytes());
        add("UTF-16 LE", &utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
        add("UTF-16 BE", &utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>());
        let list = |form: fn(&u8) -> String, between: &str| {
            bytes.iter().map(form).collect::<Vec<_>>().join(between)
        };
        add("bytes", list(u8::to_string, ", ").as_bytes());
        add("bytes, tight", list(u8::to_string, ",").as_bytes());
        add("bytes, hex", list(|b| format!("0x{b:02x}"), ", ").as_bytes());
        // As `{:#?}` has it, at any usual depth.
        for depth in 0..10 {
            let between = format!(",\n{}", "    ".repeat(depth));
            add(
                &format!("bytes, a line each, at {depth}"),
                list(u8::to_string, &between).as_bytes(),
            );
        }
        self.base64(prefix, bytes);
    }

    /// What no bytes before or behind it change.
    fn base64(&mut self, prefix: &str, bytes: &[u8]) {
        for before in 0..3 {
            let padded = [&vec![0; before], bytes].concat();
            let first = (before * 8).div_ceil(6);
            let last = padded.len() * 8 / 6;
            for (name, engine) in
                [("base64", BASE64_STANDARD_NO_PAD), ("base64url", BASE64_URL_SAFE_NO_PAD)]
            {
                let text = engine.encode(&padded);
                self.add(&format!("{prefix}{name} at {before}"), &text.as_bytes()[first..last]);
            }
        }
    }

    /// Digests that anybody could compute; the first 16 bytes, which stand in the whole.
    fn hashed(&mut self, prefix: &str, bytes: &[u8]) {
        let mac = Hmac::<Sha256>::new_from_slice(&[]).expect("a key of any length");
        let digests: [(&str, Vec<u8>); 3] = [
            ("SHA-256", Sha256::digest(bytes).to_vec()),
            ("SHA-1", Sha1::digest(bytes).to_vec()),
            ("HMAC without a key", mac.chain_update(bytes).finalize().into_bytes().to_vec()),
        ];
        for (name, digest) in digests {
            let digest = &digest[..16];
            let name = format!("{prefix}{name}");
            let hex = |upper| digest.iter().map(move |b| hex_of(*b, upper)).collect::<String>();
            self.add(&name, digest);
            self.add(&format!("{name}, hex"), hex(false));
            self.add(&format!("{name}, upper hex"), hex(true));
            self.add(&format!("{name}, UUID"), as_uuid(digest));
            self.base64(&format!("{name}, "), digest);
        }
    }
}

/// As PostgreSQL shows 16 bytes.
pub(crate) fn as_uuid(bytes: &[u8]) -> String {
    let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
    let hex = |part: &[u8]| part.iter().map(|byte| hex_of(*byte, false)).collect::<String>();
    parts.map(hex).join("-")
}

fn hex_of(byte: u8, upper: bool) -> String {
    if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }
}
