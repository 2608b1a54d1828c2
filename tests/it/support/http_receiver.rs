//! A receiver over HTTP: it answers as it is told to, and keeps what it was sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, response::IntoResponse};
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::{net::TcpListener, task::JoinHandle};

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    delay: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap();
        Self { status, headers: HeaderMap::new(), delay: Duration::ZERO }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A receiver on the loopback, until it is dropped.
pub(crate) struct HttpReceiver {
    uri: String,
    seen: Seen,
    serving: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Seen {
    requests: Arc<Mutex<Vec<Request>>>,
    /// Answers before the last one, which is given for ever.
    first: Arc<Mutex<VecDeque<Answer>>>,
}

impl HttpReceiver {
    /// Answers so many times with `first`, and then always with `answer`.
    pub(crate) async fn start(first: &[Answer], answer: Answer) -> Self {
        let seen = Seen { requests: Arc::default(), first: Arc::new(Mutex::new(first.iter().cloned().collect())) };
        let respond = move |State(seen): State<Seen>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            seen.requests.lock().unwrap().push(Request { method, uri, headers, body });
            let Answer { status, headers, delay } = seen.first.lock().unwrap().pop_front().unwrap_or(answer.clone());
            async move {
                tokio::time::sleep(delay).await;
                (status, headers).into_response()
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(respond).with_state(seen.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { uri, seen, serving }
    }

    pub(crate) fn uri(&self) -> String {
        self.uri.clone()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap().clone()
    }
}

impl Drop for HttpReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
