use std::borrow::Cow;

use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::IdSource;
use crate::CorrelationId;

/// The segment of the path that stands where `template` has `{…}`,
/// percent-decoded: `path_template("/confirm/{id}")`, for any Tower service.
///
/// The template is matched against the whole path that the service sees, which
/// under axum's `nest` lacks the prefix.
///
/// # Panics
///
/// If `template` has no segment `{…}`, or more than one.
#[must_use]
pub fn path_template(template: impl Into<Cow<'static, str>>) -> PathTemplate {
    let template = template.into();
    let captures = template.split('/').filter(|segment| is_capture(segment)).count();
    assert!(captures == 1, "a path template needs one segment in braces: /confirm/{{id}}");
    PathTemplate { template }
}

/// The source of [`path_template`].
#[derive(Debug, Clone)]
pub struct PathTemplate {
    template: Cow<'static, str>,
}

fn is_capture(segment: &str) -> bool {
    segment.len() > 2 && segment.starts_with('{') && segment.ends_with('}')
}

impl IdSource for PathTemplate {
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId> {
        let mut path = parts.uri.path().split('/');
        let mut captured = None;
        for expected in self.template.split('/') {
            let segment = path.next()?;
            if is_capture(expected) {
                captured = Some(segment);
            } else if expected != segment {
                return None;
            }
        }
        if path.next().is_some() {
            return None;
        }
        captured.map(|segment| CorrelationId::new(percent_decode_str(segment).collect::<Vec<u8>>()))
    }
}
