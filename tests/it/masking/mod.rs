//! What is shown of what programs print: no secret, and what a person needs.

mod harmless;
mod places;
mod secrets;

use std::{collections::BTreeSet, time::Duration};

use kubeheal::diagnosis::{MASK, masked};
use proptest::prelude::*;
use tokio::time::Instant;

use crate::core::cases;
use harmless::HARMLESS;
use secrets::{AWS40, BASE88, BY_FORM, BY_PLACE, HEX64, MIXED36, WORD};

/// What is planted where a program prints it.
fn planted((place, secret): &(&str, &str)) -> String {
    place.replacen("{}", secret, 1)
}

#[test]
fn no_shape_of_a_secret_is_shown() {
    let shapes: BTreeSet<_> = BY_FORM.iter().chain(BY_PLACE).collect();
    assert!(shapes.len() >= 200, "{}", shapes.len());
    let shown = |shape: &&&(&str, &str)| masked(&planted(shape)).contains(shape.1);
    let seen: Vec<String> =
        shapes.iter().filter(shown).map(|shape| format!("{} -> {}", planted(shape), masked(&planted(shape)))).collect();
    assert!(seen.is_empty(), "{} are shown:\n{}", seen.len(), seen.join("\n"));
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    assert!(HARMLESS.len() >= 120, "{}", HARMLESS.len());
    let changed: Vec<String> = HARMLESS
        .iter()
        .filter(|line| masked(line) != **line)
        .map(|line| format!("{line}\n  -> {}", masked(line)))
        .collect();
    assert!(changed.is_empty(), "{} are masked:\n{}", changed.len(), changed.join("\n"));
}

/// What stands beside a secret is shown: only the secret is not.
#[test]
fn what_stands_around_a_secret_stays() {
    for (text, shown) in [
        ("postgres://app:hunter2@db:5432/shop: connection refused", "postgres://***@db:5432/shop: connection refused"),
        (
            "{\"user\":\"app\",\"password\":\"two words\",\"host\":\"db\"}",
            "{\"user\":\"app\",\"password\":***,\"host\":\"db\"}",
        ),
        ("Config(user=app, password=hunter2, host=db)", "Config(user=app, password=***, host=db)"),
        ("&{User:app Password:hunter2}", "&{User:app Password:***}"),
        ("mysql -u root -phunter2 shop: Access denied", "mysql -u root -p*** shop: Access denied"),
        ("redis-cli -h redis -a hunter2 ping", "redis-cli -h redis -a *** ping"),
        ("the password is hunter2, which is wrong", "the password is ***, which is wrong"),
        ("login with password \"two words\" failed for app", "login with password *** failed for app"),
        (
            "- name: DB_PASSWORD\n  value: hunter2\n- name: PORT\n  value: 80",
            "- name: DB_PASSWORD\n  value: ***\n- name: PORT\n  value: 80",
        ),
        ("password: |\n  hunter2\nuser: app", "password: |\n  ***\nuser: app"),
        ("password: |\n  hunter2\n  and more\nuser: app", "password: |\n  ***\nuser: app"),
        (
            "volume \"tokens\" : secret \"tokens\" not found, password=hunter2",
            "volume \"tokens\" : secret \"tokens\" not found, password=***",
        ),
    ] {
        assert_eq!(masked(text), shown);
    }
}

/// How programs print a setting; `{}` is the value, which the writer has put into quotes where the form asks for it.
const FRAMES: [(&str, &str); 24] = [
    ("env", "DB_PASSWORD={}"),
    ("env in quotes", "export API_TOKEN=\"{}\""),
    ("env dump", "PATH=/bin\nAPP_SECRET={}\nHOME=/root"),
    ("JSON", "{\"user\":\"app\",\"password\":\"{}\",\"n\":1}"),
    ("JSON with spaces", "{ \"apiKey\" : \"{}\" }"),
    ("JSON in JSON", "{\"msg\":\"{\\\"password\\\":\\\"{}\\\"}\"}"),
    ("JSON in JSON in JSON", "\"{\\\"a\\\":\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"{}\\\\\\\"}\\\"}\""),
    ("YAML", "db:\n  password: {}\n  user: app"),
    ("YAML in quotes", "token: '{}'"),
    ("YAML block", "clientSecret: |-\n    {}\nuser: app"),
    ("YAML env", "- name: DB_PASSWORD\n  value: \"{}\""),
    ("option", "server --db-password {} --port 80"),
    ("option with =", "server --token={} --port 80"),
    ("options as a list", "[\"server\",\"--password\",\"{}\"]"),
    ("logfmt", "level=error password={} user=app"),
    ("logfmt in quotes", "level=error password=\"{}\" user=app"),
    ("struct of Go", "{User:app Password:{} Host:db}"),
    ("struct of Java", "Config(user=app, secret={}, host=db)"),
    ("dict of Python", "{'user': 'app', 'password': '{}'}"),
    ("query", "GET /v1?access_token={}&page=2 401"),
    ("prose", "the password is {} for now"),
    ("prose in quotes", "login with password \"{}\" failed"),
    ("header", "X-Auth-Token: {}"),
    ("bearer", "Authorization: Bearer {}"),
];

const VALUES: [&str; 14] = [
    WORD,
    "hunter2",
    "correct-horse-battery",
    "p@ss!w0rd",
    "S3cr3t$",
    "a,b;c",
    "x{y}z(1)",
    "pa/ss+wo=rd",
    "Zürich東京1",
    AWS40,
    BASE88,
    HEX64,
    MIXED36,
    "550e8400-e29b-41d4-a716-446655440000",
];

#[test]
fn no_value_is_shown_in_any_frame() {
    let mut seen = Vec::new();
    for (name, frame) in FRAMES {
        for value in VALUES {
            let text = frame.replacen("{}", value, 1);
            let shown = masked(&text);
            if shown.contains(value) || !shown.contains(MASK) {
                seen.push(format!("{name}: {text:?} -> {shown:?}"));
            }
        }
    }
    assert!(seen.is_empty(), "{} are shown:\n{}", seen.len(), seen.join("\n"));
}

#[test]
fn what_is_masked_is_masked_once() {
    let shapes = BY_FORM.iter().chain(BY_PLACE).map(planted);
    let frames = FRAMES.iter().flat_map(|(_, frame)| VALUES.map(|value| frame.replacen("{}", value, 1)));
    for text in shapes.chain(frames) {
        let shown = masked(&text);
        assert_eq!(masked(&shown), shown, "of {text}");
    }
}

/// Patterns that look far ahead, one value after the other: what is quadratic takes minutes for this.
#[test]
fn a_text_made_to_be_slow_is_read_in_time_linear_to_it() {
    for unit in [
        "password=",
        "password: ",
        "password is ",
        "a:",
        "://",
        "x://a:b ",
        "\\",
        "\\\"password\\\":\\\"",
        "mysql -p ",
        "-----BEGIN PRIVATE KEY-----",
        "name: x, value: ",
        "--token ",
        "key\n",
        "A1b2",
        "token \"",
        "with password ",
        "redis-cli ",
        "secret ",
        "=",
        "\"",
        "a/",
    ] {
        let text = unit.repeat(250_000 / unit.len());
        let begin = Instant::now();
        assert!(masked(&text).len() <= text.len() + text.len() / 2, "{unit}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{unit} takes {:?}", begin.elapsed());
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_text_is_masked_without_harm_and_once(text in any::<String>()) {
        let shown = masked(&text);
        prop_assert_eq!(masked(&shown), shown);
    }

    #[test]
    fn any_text_made_of_what_the_rules_look_for_is_masked_once(
        parts in prop::collection::vec(prop::sample::select(vec![
            "password", "token", "secret", "key", "is", "with", "=", ":", ": ", " ", "\"", "'", "\\", "\n", "{", "}", ",", "://", "@", "--", "-p", "mysql ",
            "app", "hunter2", "***", "Bearer ", "name", "value", "|\n ", "ü", "東", "q7Zr2mXv9Lk4Tn8Bs1Yd", "not", "[", "<", "$", "/", "8Q~",
        ]), 0..24),
    ) {
        let shown = masked(&parts.concat());
        prop_assert_eq!(masked(&shown), shown);
    }

    #[test]
    fn a_value_by_chance_is_shown_in_no_frame(value in "[A-Za-z0-9][A-Za-z0-9!$%*+._~^-]{8,30}[0-9]", frame in 0..FRAMES.len()) {
        let text = FRAMES[frame].1.replacen("{}", &value, 1);
        prop_assert!(!masked(&text).contains(&value), "{:?} -> {:?}", text, masked(&text));
    }
}
