//! The numbers, ids, codes, texts and secrets that the tests send through everything.

pub(crate) struct Marker {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// In E.164, with so many digits of a country code.
    Number {
        code: usize,
    },
}

macro_rules! markers {
    ($($name:ident: $kind:expr, $value:literal;)*) => {
        $(pub(crate) const $name: &str = $value;)*
        /// All of them.
        pub(crate) const MARKERS: &[Marker] = &[
            $(Marker { name: stringify!($name), value: $name, kind: $kind },)*
        ];
    };
}

const TEXT: Kind = Kind::Text;

markers! {
    USER: Kind::Number { code: 1 }, "+14155557301";
    GERMAN_USER: Kind::Number { code: 2 }, "+4917655501987";
    SENDER: Kind::Number { code: 1 }, "+14155559642";
    // What users type and read.
    CODE: TEXT, "8391746205";
    WRONG_CODE: TEXT, "8391740000";
    MESSAGE: TEXT, "Grüße vom \"Wächter\": ";
    REPLY: TEXT, "Ja,gerne/sofort!";
    // Correlation ids, each by one way in.
    LINK_ID: TEXT, "Link7 \"vT+é/x=Y";
    HEADER_ID: TEXT, "Header7-qXz81w";
    EXTENSION_ID: TEXT, "Extension7-Kd93hv";
    SCOPE_ID: TEXT, "Scope7-mW52ut";
    RULE_ID: TEXT, "Rule7-oF16ca";
    RECORDED_ID: TEXT, "Recorded7-jB40ye";
    IMPORTED_ID: TEXT, "Imported7-sN88rk";
    JOINED_ID: TEXT, "Joined7-uD25pl";
    UNKNOWN_ID: TEXT, "Unknown7-gT63ix";
    EARLY_ID: TEXT, "Early7-zH07nb";
    DEFERRED_ID: TEXT, "Deferred7-vC39mo";
    FORGOTTEN_ID: TEXT, "Forgotten7-eP71wq";
    QUERY_ID: TEXT, "Query7-aL56ts";
    PATH_ID: TEXT, "Path7-iR12vd";
    COOKIE_ID: TEXT, "Cookie7-fY94kz";
    INCOMING_HEADER_ID: TEXT, "Incoming7-cJ68hu";
    FORM_ID: TEXT, "Form7-wS33gb";
    DEAD_ID: TEXT, "Dead7-yQ47ol";
    // Secrets.
    AUTH_TOKEN: TEXT, "Token7-9b1f84c2ad6e";
    API_SECRET: TEXT, "Secret7-Vq27LmPx90";
    BEARER: TEXT, "Bearer7-Zt61KrWc35";
    SENDERS_TOKEN: TEXT, "Senders7-Hy84QnBd12";
    CORRELATION_KEY: TEXT, "Key7 of the correlation, thirty-two bytes";
    PREVIOUS_KEY: TEXT, "Key7 of the time before, also thirty-two";
    WEBHOOK_TOKEN: TEXT, "Webhook7-5e0d37fa91b8";
    FORGED_TOKEN: TEXT, "Forged7-a3c9150fe7d2";
    STORE_PASSWORD: TEXT, "Password7-Xk52!jR";
}
