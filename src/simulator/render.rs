use std::fmt::Write;

use http::StatusCode;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// The representation that the end of a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
    Csv,
}

impl Format {
    /// Takes the suffix off a path. Without one, the 2010 API answers XML.
    pub(super) fn split(path: &str) -> (&str, Self) {
        if let Some(path) = path.strip_suffix(".json") {
            (path, Self::Json)
        } else if let Some(path) = path.strip_suffix(".csv") {
            (path, Self::Csv)
        } else {
            (path.strip_suffix(".xml").unwrap_or(path), Self::Xml)
        }
    }

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Json => ".json",
            Self::Xml => "",
            Self::Csv => ".csv",
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Csv => "text/csv",
        }
    }
}

/// What processing a request came to, before it is written in a format.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// The XML element around a resource; a list has none.
    element: Option<&'static str>,
    value: Value,
}

impl Reply {
    pub(super) fn resource(status: StatusCode, element: &'static str, value: Value) -> Self {
        Self { status, element: Some(element), value }
    }

    pub(super) fn list(value: Value) -> Self {
        Self { status: StatusCode::OK, element: None, value }
    }

    pub(super) fn render(&self, format: Format) -> String {
        match format {
            Format::Json => self.value.to_string(),
            Format::Xml => self.xml(),
            Format::Csv => self.csv(),
        }
    }

    fn xml(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<TwilioResponse>");
        match (self.element, &self.value) {
            (Some(name), value) => push_element(&mut out, name, value),
            (None, value) => push_content(&mut out, "", value),
        }
        out.push_str("</TwilioResponse>");
        out
    }

    fn csv(&self) -> String {
        let rows: Vec<&Map<String, Value>> = match self.value.get("messages") {
            Some(Value::Array(rows)) => rows.iter().filter_map(Value::as_object).collect(),
            _ => self.value.as_object().into_iter().collect(),
        };
        let mut out = String::new();
        if let Some(first) = rows.first() {
            push_row(&mut out, first.iter().filter(|(_, value)| is_scalar(value)).map(|(n, _)| n));
        }
        for row in rows {
            let values = row.values().filter(|value| is_scalar(value)).map(text);
            push_row(&mut out, values);
        }
        out
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::resource(refusal.status, "RestException", refusal.to_value())
    }
}

fn push_element(out: &mut String, name: &str, value: &Value) {
    let _ = write!(out, "<{name}>");
    push_content(out, name, value);
    let _ = write!(out, "</{name}>");
}

fn push_content(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                push_element(out, &pascal_case(name), value);
            }
        }
        Value::Array(items) => {
            for item in items {
                push_element(out, name.trim_end_matches('s'), item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            push_escaped(out, &text(value));
        }
    }
}

fn pascal_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split('_') {
        let mut chars = word.chars();
        out.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

fn push_escaped(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(char),
            '\r' => out.push_str("&#13;"),
            // XML 1.0 has no way to write these.
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(char),
        }
    }
}

fn push_row(out: &mut String, cells: impl Iterator<Item = impl AsRef<str>>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        let _ = write!(out, "\"{}\"", cell.as_ref().replace('"', "\"\""));
    }
    out.push_str("\r\n");
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
