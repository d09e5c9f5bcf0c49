//! The country of a number, with the port of libphonenumber as the oracle.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};
use tower_message_feedback::Country;

/// Numbers that the prefixes do not tell, of all those examined.
const KNOWN_EXCEPTIONS: usize = 2;

#[test]
fn the_country_of_every_regions_example_numbers_is_known() {
    let types = [
        PhoneNumberType::FixedLine,
        PhoneNumberType::Mobile,
        PhoneNumberType::VoIP,
        PhoneNumberType::PersonalNumber,
        PhoneNumberType::UAN,
        PhoneNumberType::Pager,
    ];
    let (mut examined, mut wrong) = (0, Vec::new());
    for region in PHONE_NUMBER_UTIL.get_supported_regions() {
        for kind in types {
            let Ok(number) = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind)
            else {
                continue;
            };
            let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).to_string();
            let Some(expected) = PHONE_NUMBER_UTIL.get_region_for_number(&number) else {
                continue;
            };
            examined += 1;
            let told = Country::of_number(&e164).map(|country| country.to_string());
            if told != Some(expected.to_string()) {
                wrong.push((e164, expected, told));
            }
        }
    }
    assert!(examined > 500, "{examined}");
    assert!(wrong.len() <= KNOWN_EXCEPTIONS, "{} of {examined}: {wrong:?}", wrong.len());
}
