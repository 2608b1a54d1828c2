//! A receiver inside the process: what it was sent, and how it answers.

use std::sync::{Arc, Mutex};

use futures::{FutureExt, future::BoxFuture};
use http::Response;
use kubeheal::notify::alert::HttpSender;
use serde_json::Value;
use tokio::time::Instant;

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Failing,
    Refusing,
    Hanging,
}

/// One notice that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) at: u64,
    pub(crate) host: String,
    pub(crate) body: Value,
}

/// All receivers, by host.
#[derive(Clone)]
pub(crate) struct Inbox {
    letters: Arc<Mutex<Vec<Letter>>>,
    /// Seconds at which somebody tried to send.
    tries: Arc<Mutex<Vec<u64>>>,
    mood: Arc<Mutex<Mood>>,
    began: Instant,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let mood = Arc::new(Mutex::new(Mood::Well));
        Self { letters: Arc::default(), tries: Arc::default(), mood, began: Instant::now() }
    }

    pub(crate) fn sender(&self) -> HttpSender {
        let inbox = self.clone();
        HttpSender::through(move |request| {
            let host = request.uri().host().unwrap_or_default().to_owned();
            let body = serde_json::from_slice(request.body()).unwrap();
            let letter = Letter { at: inbox.began.elapsed().as_secs(), host, body };
            inbox.tries.lock().unwrap().push(letter.at);
            let mood = *inbox.mood.lock().unwrap();
            match mood {
                Mood::Hanging => futures::future::pending().boxed(),
                Mood::Failing => answer(500),
                Mood::Refusing => answer(401),
                Mood::Well => {
                    inbox.letters.lock().unwrap().push(letter);
                    answer(200)
                }
            }
        })
    }

    pub(crate) fn feels(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn tries(&self) -> Vec<u64> {
        self.tries.lock().unwrap().clone()
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    /// Status and severity of all webhook notices about a service, in order.
    pub(crate) fn about(&self, service: &str) -> Vec<String> {
        let letters = self.letters();
        let of =
            letters.iter().filter(|letter| letter.body["service"] == service && letter.body["subject"] == "Service");
        of.map(|letter| summary(&letter.body)).collect()
    }

    /// Host and status of all notices about a storm.
    pub(crate) fn of_storm(&self) -> Vec<(String, String)> {
        let letters = self.letters();
        let of = letters.iter().filter(|letter| letter.body["subject"] == "Storm");
        of.map(|letter| (letter.host.clone(), letter.body["status"].as_str().unwrap().to_owned())).collect()
    }
}

fn answer(status: u16) -> BoxFuture<'static, Result<Response<()>, String>> {
    async move { Ok(Response::builder().status(status).body(()).unwrap()) }.boxed()
}

fn summary(body: &Value) -> String {
    format!("{} {}", body["status"].as_str().unwrap(), body["severity"].as_str().unwrap())
}
