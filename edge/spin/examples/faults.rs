//! A component that misbehaves on request, for the tests of the host: `/panic`, `/loop`, `/hang`, `/memory`, `/print`,
//! `/large`, `/outbound`, `/kept`. Anything else is answered 200.

use bytes::Bytes;
use http_body_util::{Empty, Full};
use spin_sdk::http_service;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static ANSWERED: AtomicU64 = AtomicU64::new(0);

#[http_service]
#[expect(clippy::panic, reason = "it is what this component is for")]
async fn handle(request: spin_sdk::http::Request) -> http::Response<Full<Bytes>> {
    let text = match request.uri().path() {
        "/panic" => panic!("as asked"),
        "/loop" => loop {
            black_box(());
        },
        "/hang" => {
            spin_sdk::time::sleep(Duration::from_secs(3600)).await;
            String::new()
        }
        "/memory" => {
            let mut held = Vec::new();
            loop {
                held.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "/print" => {
            for _ in 0..200 {
                println!("{}", "x".repeat(5000));
            }
            "printed".to_owned()
        }
        "/large" => "x".repeat(20 << 20),
        "/outbound" => {
            let request = http::Request::get("http://127.0.0.1:9/").body(Empty::<Bytes>::new());
            match request {
                Ok(request) => match spin_sdk::http::send(request).await {
                    Ok(_) => "answered".to_owned(),
                    Err(error) => format!("{error:?}"),
                },
                Err(error) => error.to_string(),
            }
        }
        // How many requests this instance has answered before.
        "/kept" => ANSWERED.load(Ordering::Relaxed).to_string(),
        _ => "ok".to_owned(),
    };
    ANSWERED.fetch_add(1, Ordering::Relaxed);
    http::Response::new(Full::new(Bytes::from(text)))
}
