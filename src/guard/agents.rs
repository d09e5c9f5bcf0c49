//! The agents that fetch a link though nobody clicked it, as data.

use std::ops::Range;

/// What the `User-Agent` of a program that fetches links by itself says, and what no
/// browser, no in-app browser and no HTTP client of an application says.
pub(super) struct Agent {
    /// A part of the header, in lower case; it matches in any case.
    pub(super) part: &'static str,
    pub(super) name: &'static str,
    /// Where it counts.
    pub(super) place: Place,
    /// Where that is written down. Not read, but for whoever changes the list.
    #[cfg_attr(not(test), expect(dead_code, reason = "says where an entry comes from"))]
    pub(super) source: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// A browser in an app has it too, at its end.
    Start,
    /// The app's own requests begin with it, too.
    Whole,
    /// Not as the end of `CUBOT`, whose phones have browsers.
    NotCubot,
}

impl Place {
    /// Whether a part counts that stands at these bytes.
    pub(super) fn permits(self, agent: &[u8], part: Range<usize>) -> bool {
        let at = part.start;
        match self {
            Self::Anywhere => true,
            Self::Start => at == 0,
            Self::Whole => part == (0..agent.len()),
            Self::NotCubot => {
                !at.checked_sub(2).is_some_and(|cu| agent[cu..at].eq_ignore_ascii_case(b"cu"))
            }
        }
    }
}

const META: &str = "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers";
const GOOGLE: &str =
    "https://developers.google.com/search/docs/crawling-indexing/overview-google-crawlers";
const SLACK: &str = "https://api.slack.com/robots";
const BING: &str = "https://www.bing.com/webmasters/help/which-crawlers-does-bing-use-8c184ec0";
/// A list with an example of each, where its owner has no page about it.
const LIST: &str = "https://github.com/monperrus/crawler-user-agents";
const MORE: &str = "https://github.com/arcjet/well-known-bots";
const ISBOT: &str = "https://github.com/omrilotan/isbot/blob/main/fixtures/crawlers.yml";

const fn agent(part: &'static str, name: &'static str, source: &'static str) -> Agent {
    Agent { part, name, place: Place::Anywhere, source }
}

const fn at_start(part: &'static str, name: &'static str, source: &'static str) -> Agent {
    Agent { part, name, place: Place::Start, source }
}

const fn bot(part: &'static str, source: &'static str) -> Agent {
    Agent { part, name: "a crawler", place: Place::NotCubot, source }
}

pub(super) const AGENTS: &[Agent] = &[
    // Previews of messages and posts. iMessage calls itself both Facebook's and
    // Twitter's, Signal calls itself WhatsApp's.
    agent("facebookexternalhit", "Facebook, Instagram, iMessage", META),
    agent("facebot", "Facebook, iMessage", META),
    agent("facebookcatalog", "Facebook", META),
    agent("meta-external", "Meta", META),
    agent(
        "twitterbot",
        "Twitter, Telegram, iMessage",
        "https://developer.x.com/en/docs/x-for-websites/cards/guides/troubleshooting-cards",
    ),
    at_start("whatsapp", "WhatsApp, Signal", LIST),
    Agent { part: "viber", name: "Viber", place: Place::Whole, source: LIST },
    agent("viberurldownloader", "Viber", ISBOT),
    agent("telegrambot", "Telegram", LIST),
    agent("slackbot", "Slack", SLACK),
    agent("slack-imgproxy", "Slack", SLACK),
    agent("discordbot", "Discord", LIST),
    agent("linkedinbot", "LinkedIn", LIST),
    agent("skypeuripreview", "Skype, Teams", LIST),
    agent("microsoftpreview", "Microsoft", BING),
    agent("bingpreview", "Outlook, Bing", BING),
    agent("googlemessages/", "Google Messages", ISBOT),
    agent("google-pagerenderer", "Google Messages", MORE),
    agent("developers.google.com/+/web/snippet", "Google Messages", MORE),
    agent("snap url preview", "Snapchat", "https://developers.snap.com/robots"),
    agent(
        "pinterestbot",
        "Pinterest",
        "https://help.pinterest.com/en/business/article/pinterestbot",
    ),
    agent(
        "pinterest.com/bot",
        "Pinterest",
        "https://help.pinterest.com/en/business/article/pinterestbot",
    ),
    agent("redditbot", "Reddit", LIST),
    agent("vkshare", "VK", LIST),
    agent("kakaotalk-scrap", "KakaoTalk", MORE),
    agent("line-poker", "LINE", LIST),
    agent("groupmebot", "GroupMe", MORE),
    agent("keybasebot", "Keybase", "https://book.keybase.io/docs/chat/link-previews"),
    agent("valve/steam http client", "Steam", MORE),
    agent(
        "yahoo link preview",
        "Yahoo",
        "https://help.yahoo.com/kb/mail/yahoo-link-preview-SLN23615.html",
    ),
    agent("synapse", "Matrix", "https://github.com/element-hq/synapse"),
    agent("mastodon/", "Mastodon", LIST),
    agent("bluesky cardyb", "Bluesky", ISBOT),
    agent("embedly", "Embedly", LIST),
    agent("iframely", "Iframely", "https://iframely.com/docs/about"),
    agent("discourse forum onebox", "Discourse", ISBOT),
    // Proxies and caches that fetch for many.
    agent("googleimageproxy", "Gmail", LIST),
    agent("yahoomailproxy", "Yahoo Mail", LIST),
    agent("yahoo:linkexpander", "Yahoo", ISBOT),
    agent("seznamemailproxy", "Seznam Email", ISBOT),
    agent("ramblermail", "Rambler Mail", ISBOT),
    agent("google web preview", "Google", LIST),
    agent("google favicon", "Google", LIST),
    agent("google-read-aloud", "Google", GOOGLE),
    agent("applebot", "Apple", "https://support.apple.com/en-us/119829"),
    agent("flipboardproxy", "Flipboard", LIST),
    // Scanners of links.
    agent("google-safety", "Google Safety", GOOGLE),
    agent("barracuda sentinel", "Barracuda", LIST),
    agent("virustotal", "VirusTotal", LIST),
    agent("kaspersky lab cfr link resolver", "Kaspersky", ISBOT),
    agent("secureurl.fwdcdn.com", "ukr.net Mail", ISBOT),
    agent("palo alto networks company", "Palo Alto Networks", ISBOT),
    agent("clamav", "ClamAV", ISBOT),
    agent("netcraft", "Netcraft", LIST),
    agent("censysinspect", "Censys", LIST),
    agent("bitlybot", "Bitly", LIST),
    // How crawlers name themselves: a page about them, or what they are.
    agent("+http:", "a crawler", "https://datatracker.ietf.org/doc/html/rfc9309"),
    agent("+https:", "a crawler", "https://datatracker.ietf.org/doc/html/rfc9309"),
    bot("bot/", ISBOT),
    bot("bot;", ISBOT),
    bot("bot)", ISBOT),
    agent("-bot", "a crawler", ISBOT),
    agent("crawler", "a crawler", ISBOT),
    agent("spider", "a crawler", ISBOT),
    agent("preview", "a preview", ISBOT),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_in_lower_case_and_says_where_it_comes_from() {
        for Agent { part, name, source, .. } in AGENTS {
            assert!(!part.is_empty() && !name.is_empty(), "{part}");
            assert_eq!(*part, part.to_ascii_lowercase());
            assert!(source.starts_with("https://"), "{part}: {source}");
        }
    }

    #[test]
    fn no_entry_is_listed_twice() {
        let parts: std::collections::HashSet<&str> =
            AGENTS.iter().map(|agent| agent.part).collect();
        assert_eq!(parts.len(), AGENTS.len());
    }
}
