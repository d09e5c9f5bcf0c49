//! Who fetches a link: programs that do so by themselves confirm nothing, whatever
//! has a user behind it does.

use axum::{Router, routing::get};
use http::{HeaderMap, HeaderValue, Method, header::USER_AGENT};
use tower_message_feedback::{NotAnAction, PreviewGuard, source::query};

use crate::support::{Site, World};

/// Each as it was seen, with what the guard calls it by.
const PROGRAMS: &[(&str, &str)] = &[
    ("Facebook", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"),
    (
        "iMessage",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) \
         Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    ),
    ("Facebook", "Facebot/1.0"),
    ("Meta", "meta-externalagent/1.1"),
    ("Meta", "meta-externalfetcher/1.1"),
    ("Twitter", "Twitterbot/1.0"),
    ("WhatsApp", "WhatsApp/2.23.20.0 A"),
    ("WhatsApp", "WhatsApp/2.2412.54 W"),
    // Signal, which asks as WhatsApp does.
    ("Signal", "WhatsApp/2"),
    ("Viber", "Viber"),
    ("Viber", "ViberUrlDownloader"),
    (
        "Bluesky",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Bluesky Cardyb/1.1; \
         +mailto:support@bsky.app) Chrome/W.X.Y.Z Safari/537.36",
    ),
    ("Yahoo", "Yahoo:LinkExpander:Slingstone"),
    ("Seznam", "Mozilla/5.0 SeznamEmailProxy/2.0.174"),
    ("Telegram", "TelegramBot (like TwitterBot)"),
    ("Slack", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
    ("Slack", "Slackbot 1.0 (+https://api.slack.com/robots)"),
    ("Slack", "Slack-ImgProxy (+https://api.slack.com/robots)"),
    ("Discord", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"),
    (
        "LinkedIn",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    ),
    ("Teams", "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5"),
    (
        "Microsoft",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; MicrosoftPreview/2.0; \
         +https://aka.ms/MicrosoftPreview) Chrome/119.0.0.0 Safari/537.36",
    ),
    (
        "Outlook",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
    ),
    (
        "Google Messages",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/56.0.2924.87 Safari/537.36 Google-PageRenderer Google \
         (+https://developers.google.com/+/web/snippet/)",
    ),
    ("Snapchat", "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots"),
    ("Pinterest", "Mozilla/5.0 (compatible; Pinterestbot/1.0; +http://www.pinterest.com/bot.html)"),
    ("Pinterest", "Pinterest/0.2 (+https://www.pinterest.com/bot.html)"),
    ("Reddit", "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)"),
    ("VK", "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)"),
    ("Facebook", "facebookexternalhit/1.1;kakaotalk-scrap/1.0; +https://devtalk.kakao.com/"),
    ("Facebook", "facebookexternalhit/1.1;line-poker/1.0"),
    ("GroupMe", "GroupMeBot/1.0"),
    ("Keybase", "Mozilla/5.0 (compatible; KeybaseBot; +https://keybase.io)"),
    ("Steam", "Valve/Steam HTTP Client 1.0 (SteamChatURLLookup)"),
    ("Matrix", "Synapse (bot; +https://github.com/matrix-org/synapse)"),
    ("Mastodon", "http.rb/5.1.1 (Mastodon/4.2.0; +https://mastodon.example/) Bot"),
    ("Iframely", "Iframely/1.3.1 (+https://iframely.com/docs/about) Atlassian"),
    ("Embedly", "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)"),
    (
        "Gmail",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 \
         (via ggpht.com GoogleImageProxy)",
    ),
    ("Yahoo Mail", "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"),
    (
        "Apple",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) \
         Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    ),
    (
        "Google Safety",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like \
         Gecko) Chrome/114.0.5735.179 Mobile Safari/537.36 (compatible; Google-Safety; \
         +http://www.google.com/bot.html)",
    ),
    (
        "VirusTotal",
        "AppEngine-Google; (+http://code.google.com/appengine; appid: s~virustotalcloud)",
    ),
    ("Barracuda", "Barracuda Sentinel (EE)"),
    ("Kaspersky", "Kaspersky Lab CFR link resolver cfradmins@kaspersky.com"),
    ("Netcraft", "Mozilla/4.0 (compatible; Netcraft Web Server Survey)"),
    ("Censys", "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)"),
    ("a crawler", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ("a crawler", "ExampleBot/1.0"),
    ("a crawler", "example-crawler"),
];

/// Browsers, browsers in apps, and the clients of applications.
const USERS: &[&str] = &[
    // Chrome, Safari, Firefox, Edge, Opera, Samsung and others.
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 \
     Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
     Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) FxiOS/133.0 Mobile/15E148 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0",
    "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) \
     SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
    "Mozilla/5.0 (Mobile; Nokia 8110 4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
    "Mozilla/5.0 (Linux; U; Android 10; en-US; CUBOT X30 Build/QP1A) AppleWebKit/537.36 (KHTML, \
     like Gecko) Version/4.0 Chrome/78.0.3904.108 UCBrowser/13.4 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 9; CUBOT) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0 \
     Mobile Safari/537.36",
    "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
    // In apps.
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/470.0.0.40.105;FBBV/615880001;FBDV/iPhone14,5;FBMD/\
     iPhone;FBSN/iOS;FBSV/17.5;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5]",
    "Mozilla/5.0 (Linux; Android 14; SM-S911B; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
     Version/4.0 Chrome/125.0.6422.165 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/466.1.0.54.75;]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/21F90 Instagram 334.0.4.32.98 (iPhone14,7; iOS 17_5_1; en_US; scale=3.00)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 Twitter for iPhone/10.44",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 [LinkedInApp]/9.30.1234",
    "Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
     Version/4.0 Chrome/124.0 Mobile Safari/537.36 Telegram-Android/10.12.0",
    "Mozilla/5.0 (Linux; Android 7.1.2; G011A; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
     Version/4.0 Chrome/66.0.3359.158 Safari/537.36 Viber/11.9.5.8",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 Safari Line/14.5.0",
    "Mozilla/5.0 (Linux; Android 12; SM-A525N; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
     Version/4.0 Chrome/120.0 Mobile Safari/537.36;KAKAOTALK 2610470",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 MicroMessenger/8.0.37(0x1800252f) NetType/WIFI Language/en",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 [Pinterest/iOS]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Version/16.6 Mobile/15E148 Safari/604.1 Snapchat/12.65.0.40",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Mobile/15E148 musical_ly_34.9.0 BytedanceWebview/d8a21c6",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Slack/4.38.125 Chrome/124.0.6367.243 Electron/30.1.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Teams/24165.1410.2974.6689 Chrome/124.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
     Version/4.0 Chrome/124.0.6367.123 Mobile Safari/537.36 CamScanner/4.8.5.2310271827",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) GSA/319.0.638932130 Mobile/15E148 Safari/604.1",
    "Viber/12.8.0.1 CFNetwork/1121.2.2 Darwin/19.3.0",
    // An application's own clients, and its tests.
    "okhttp/4.12.0",
    "Example/3.1 CFNetwork/1496.0.7 Darwin/23.5.0",
    "Dart/3.4 (dart:io)",
    "python-requests/2.32.3",
    "curl/8.9.1",
    "reqwest/0.13",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
     HeadlessChrome/131.0.0.0 Safari/537.36",
    "",
];

fn said(user_agent: &str) -> HeaderMap {
    let value = HeaderValue::from_str(user_agent).expect("a header");
    HeaderMap::from_iter([(USER_AGENT, value)])
}

#[test]
fn programs_are_known_by_name() {
    let guard = PreviewGuard::default();
    for (name, program) in PROGRAMS {
        for program in [(*program).to_owned(), program.to_ascii_uppercase()] {
            let reason = guard.check(&Method::GET, &said(&program));
            let Some(NotAnAction::Agent { name: found, .. }) = reason else {
                panic!("{program} is {reason:?}")
            };
            assert!(found.contains(name), "{program} is {found}, not {name}");
        }
    }
}

#[test]
fn nothing_with_a_user_behind_it_is_refused() {
    let guard = PreviewGuard::default();
    for user in USERS {
        assert_eq!(guard.check(&Method::GET, &said(user)), None, "{user}");
    }
    assert_eq!(guard.check(&Method::GET, &HeaderMap::new()), None);
}

#[test]
fn the_list_grows_and_shrinks() {
    let own = PreviewGuard::default().agent("AcmeScanner").agent("");
    let reason = own.check(&Method::GET, &said("Mozilla/5.0 ACMEscanner"));
    assert_eq!(reason, Some(NotAnAction::agent("AcmeScanner")));
    for user in USERS {
        assert_eq!(own.check(&Method::GET, &said(user)), None, "{user}");
    }

    let telegram = "TelegramBot (like TwitterBot)";
    let allowed = PreviewGuard::default().allow(telegram);
    for (program, refused) in [(telegram, false), ("Twitterbot/1.0", true), ("Viber", true)] {
        assert_eq!(allowed.check(&Method::GET, &said(program)).is_some(), refused, "{program}");
    }

    let none = PreviewGuard::without_agents();
    for (_, program) in PROGRAMS {
        assert_eq!(none.check(&Method::GET, &said(program)), None);
    }
    assert_eq!(none.check(&Method::HEAD, &HeaderMap::new()), Some(NotAnAction::Method));
    let ahead = HeaderMap::from_iter([(
        "sec-purpose".parse().expect("a name"),
        HeaderValue::from_static("prefetch"),
    )]);
    assert_eq!(none.check(&Method::GET, &ahead), Some(NotAnAction::Prefetch));
}

#[tokio::test]
async fn previews_of_a_message_confirm_nothing_and_the_click_does() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let route = get(async || "Thank you!").layer(world.feedback.confirm_layer(query("id")));
    let site = Site::axum(Router::new().route("/link", route)).await;
    for (_, program) in PROGRAMS {
        let request = site.request(Method::GET, "/link?id=1").header("user-agent", *program);
        assert_eq!(site.send(request).await.body, "Thank you!");
    }
    world.nothing_reported().await;
    let counts = world.confirms();
    let programs = PROGRAMS.len() as u64;
    assert_eq!((counts.not_an_action, counts.previewed), (programs, programs));
    let click = site.request(Method::GET, "/link?id=1").header("user-agent", USERS[0]);
    assert_eq!(site.send(click).await.body, "Thank you!");
    world.reported(&[sid]).await;
}
