//! What is read from a text, and what `Debug` shows of it.

use tower_message_feedback::{
    BaseUrl, CorrelationKey, Country, Credentials, MessageSid, MessageStatus, Timestamp,
    store::{Dimensions, Note, Segment},
};

use crate::support::{AC, TOKEN};

#[test]
fn a_sid_with_anything_but_digits_is_none() {
    const SID: &str = "SM0123456789abcdefABCDEF0123456789";
    assert_eq!(SID.parse::<MessageSid>().expect("a SID").to_string(), SID);
    for at in 2..SID.len() {
        for wrong in ["g", "G", "/", ":", "@", "`", "\0", "gg", "zz", "//", "g/"] {
            let Some(rest) = SID.get(at + wrong.len()..) else { continue };
            let text = format!("{}{wrong}{rest}", &SID[..at]);
            assert!(text.parse::<MessageSid>().is_err(), "{text:?}");
        }
    }
}

#[test]
fn a_country_is_two_letters() {
    assert_eq!("lV".parse::<Country>().expect("a country").to_string(), "LV");
    for text in ["", "L", "LVA", "12", "L1", "1V", "L ", "\u{e9}"] {
        assert!(text.parse::<Country>().is_err(), "{text}");
    }
}

#[test]
fn debug_says_what_it_is_and_no_secret() {
    let url = BaseUrl::try_from("https://a.example/b/").expect("a URL");
    assert_eq!(format!("{url:?} {url}"), "BaseUrl(https://a.example/b) https://a.example/b");
    let country: Country = "LV".parse().expect("a country");
    assert_eq!(format!("{country:?}"), "Country(LV)");
    assert_eq!(MessageStatus::Delivered.to_string(), "delivered");
    let credentials = Credentials::auth_token(AC, TOKEN).expect("credentials");
    let shown = format!("{credentials:?}");
    assert!(shown.contains(AC) && !shown.contains(TOKEN), "{shown}");
    let mut dimensions = Dimensions::default();
    dimensions.country = Some(country);
    let shown = format!("{:?}", Segment::new(Some("signup"), dimensions));
    assert!(shown.contains("signup") && shown.contains("LV"), "{shown}");
    let key = CorrelationKey::from_bytes([7; 16]);
    let note = Note::new(key, b"what was noted".to_vec(), Timestamp::from_millis(5));
    assert_eq!(format!("{note:?}"), "Note { until: Timestamp(5 ms), .. }");
}
