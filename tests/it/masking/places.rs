//! Secrets by chance in the places where programs print them, with what hides a name from the eye.

use kubeheal::diagnosis::{MASK, line, masked, tidy};
use proptest::prelude::*;

use crate::core::cases;

/// How secrets stand in what programs print; `{}` is the secret.
const PLACES: [&str; 47] = [
    "postgres://app:{}@db:5432/shop",
    "redis://:{}@redis:6379",
    "https://{}@api.example.com/v1",
    "app:{}@tcp(db:3306)/shop",
    "amqp connect app:{}@rabbit:5672 failed",
    "jdbc:oracle:thin:scott/{}@//db:1521/x",
    "password={}",
    "PASSWORD: {}",
    "Password: \"{}\"",
    "DB_PASSWORD={}",
    "'password': '{}'",
    "\"password\":\"{}\",\"user\":\"app\"",
    "{\\\"password\\\":\\\"{}\\\"}",
    "passwd = {}",
    "MYSQL_PWD={}",
    "db.pass={}",
    ":password=>\"{}\"",
    "User:app Password:{} Host:db",
    "host=db user=app password='{}' dbname=shop",
    "Server=db;User Id=sa;Password=two {} words;Database=shop",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
    "Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey={}",
    "https://x.blob.core.windows.net/c?sv=2024&sig={}",
    "token={}",
    "token: {}",
    "--token {}",
    "--token={}",
    "--db-password {}",
    "['--api-key', '{}']",
    "-secret {}",
    "mysql --password={} db",
    "Authorization: Bearer {}",
    "Authorization: token {}",
    "authorization=Basic {}",
    "Bearer {}",
    "Cookie: sid={}",
    "X-Vault-Token: {}",
    "x-api-key: {}",
    "AWS_SECRET_ACCESS_KEY={}",
    "aws_session_token = {}",
    "client_secret={}&grant=x",
    "signing_key: {}",
    "connectionString=\"{}\"",
    "<password>{}</password>",
    "curl -u app:{} https://x",
    "https://hooks.slack.com/services/{}",
    "apiKey => {}",
];

fn key_block(secret: &str) -> [String; 3] {
    let begin = "-----BEGIN RSA PRIVATE KEY-----";
    let end = "-----END RSA PRIVATE KEY-----";
    [format!("{begin}\nMIIE{secret}\n{end}"), format!("{begin}\nMIIE{secret}"), format!("MIIE{secret}\nabcd\n{end}")]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_planted_secret_is_never_shown(
        secret in "[A-Za-z0-9][A-Za-z0-9!$%*+._~^-]{10,30}[0-9]",
        place in 0..PLACES.len(),
        before in "[a-z ]{0,40}",
        after in "( [a-z0-9 ]{0,40})?",
        noise in prop::sample::select(vec!["", "\x1b[31m", "\u{200b}", "\u{202e}", "\x07"]),
    ) {
        let planted = PLACES[place].replacen("{}", &secret, 1);
        // Characters without width inside the name must not hide it.
        let disguised = planted.chars().enumerate().map(|(i, c)| if i == 2 { format!("{noise}{c}") } else { c.to_string() }).collect::<String>();
        let text = format!("{before}\n{before} {disguised}{after}\n{after}");
        let shown = tidy(&text, 4096);
        prop_assert!(!shown.contains(&secret), "{planted:?} is shown as {shown:?}");
        prop_assert!(shown.contains(MASK));
        prop_assert!(!line(&text, 200).contains(&secret));
    }

    #[test]
    fn a_key_is_never_shown(secret in "[A-Za-z0-9+/]{40,70}", which in 0..3_usize) {
        let text = &key_block(&secret)[which];
        prop_assert!(!tidy(text, 4096).contains(&secret), "{}", tidy(text, 4096));
    }

    #[test]
    fn well_known_keys_are_seen_without_a_name(
        prefix in prop::sample::select(vec!["ghp_", "glpat-", "xoxb-", "AKIA", "sk-", "eyJhbGciOi.eyJzdWIi.", "AIza", "hvs.", "npm_"]),
        rest in "[A-Z0-9]{36}",
    ) {
        let secret = format!("{prefix}{rest}");
        let shown = masked(&format!("login with {secret} failed"));
        prop_assert!(!shown.contains(&rest), "{}", shown);
    }

    #[test]
    fn any_text_comes_through_plain_bounded_and_stays_so(text in any::<String>(), limit in 1..600_usize) {
        let plain = tidy(&text, limit);
        prop_assert!(plain.chars().count() <= limit);
        prop_assert!(plain.chars().all(|c| c == '\n' || !c.is_control()));
        let turned = plain.chars().any(|c| ('\u{202a}'..='\u{202e}').contains(&c));
        prop_assert!(!turned);
    }
}
