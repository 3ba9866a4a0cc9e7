//! Probe.
use crate::application::*;
use crate::client::*;
use crate::server::Server;
use bolide::*;
use serde_json::*;
use std::time::*;

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn rss() -> String {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().find(|l| l.starts_with("VmRSS")).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_loop() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    let big = "x".repeat(300_000);
    let t = Instant::now();
    for i in 0..100 {
        let r = tokio::time::timeout(Duration::from_millis(300), client.call(&i.to_string(), "echo", json!([big]))).await;
        if r.is_err() { println!("blocked at {i}"); break; }
    }
    println!("sent in {:?} cpu {}", t.elapsed(), cpu());
    let c = cpu();
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("cpu during 2s idle: {} {}", cpu() - c, rss());
}

#[tokio::test(flavor = "multi_thread")]
async fn b_stall() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    let big = "x".repeat(300_000);
    let (mut tx, mut rx) = futures::StreamExt::split(std::mem::replace(&mut client.socket, Client::open(server.address).await.socket));
    let sender = tokio::spawn(async move {
        for i in 0..100 {
            futures::SinkExt::send(&mut tx, tokio_tungstenite::tungstenite::Message::text(json!({"msg":"method","id":i.to_string(),"method":"echo","params":[big]}).to_string())).await.unwrap();
        }
        tx
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let t = Instant::now();
    let mut n = 0;
    while n < 100 {
        let m = tokio::time::timeout(Duration::from_secs(20), futures::StreamExt::next(&mut rx)).await.unwrap();
        let m = m.unwrap().unwrap();
        if !m.is_text() { println!("{m:?}"); return; }
        if m.to_text().unwrap().starts_with(r#"{"msg":"result"#) { n += 1; }
    }
    println!("read all in {:?}", t.elapsed());
    drop(sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn c_queue_burst() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    let big = "x".repeat(300_000);
    client.call("s", "sleep", json!([500])).await;
    for i in 0..100 { client.call(&i.to_string(), "echo", json!([big])).await; }
    println!("sent {}", rss());
    for i in 0..100 {
        loop {
            let f = client.next_frame().await;
            match f { Some(m) if m.is_text() => { if m.to_text().unwrap().starts_with(r#"{"msg":"result"#) { break; } }
             other => { println!("at {i}: {other:?}"); return; } }
        }
    }
    println!("all");
}

#[tokio::test(flavor = "multi_thread")]
async fn d_inbox() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    let big = "x".repeat(1_000_000);
    client.call("s", "sleep", json!([100000])).await;
    println!("before {}", rss());
    for i in 0..1900 { client.call(&i.to_string(), "nothing", json!([big])).await; }
    println!("after {}", rss());
}

#[tokio::test(flavor = "multi_thread")]
async fn e_close_without_answer() {
    let server = Server::start(application()).await;
    let mut client = Client::connect(server.address).await;
    client.call("s", "closeConnection", json!([])).await;
    let c = cpu();
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("cpu during closing {}", cpu() - c);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_http_timeouts() {
    let app = register(App::builder()).limits(Limits { connect_timeout: Duration::from_millis(300), ..Limits::default() }).build().unwrap();
    let server = Server::start(app).await;
    use tokio::io::*;
    for text in ["", "GET /websocket HT", "GET /health HTTP/1.1\r\nhost: x\r\n\r\n", "GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n",
        "POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nxxxxx"] {
        let mut s = tokio::net::TcpStream::connect(server.address).await.unwrap();
        s.write_all(text.as_bytes()).await.unwrap();
        let t = Instant::now();
        let mut b = String::new();
        let r = tokio::time::timeout(Duration::from_secs(2), s.read_to_string(&mut b)).await;
        println!("{text:?} -> {r:?} {b:?} {:?}", t.elapsed());
    }
    let mut c = Client::open(server.address).await;
    let t = Instant::now();
    println!("{:?} {:?}", c.next_frame().await, t.elapsed());
}
