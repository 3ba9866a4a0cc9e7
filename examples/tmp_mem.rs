//! temp
use bolide::prelude::*;
use bolide::FromServer;
fn rss() -> usize { let s = std::fs::read_to_string("/proc/self/statm").unwrap(); s.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096 }
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let items: Collection = Collection::new("items");
    for i in 0..1000 {
        let d = bolide::protocol::ejson::Object::from_iter([("name".to_owned(), Ejson::from(format!("item number {i}"))), ("price".to_owned(), Ejson::from(f64::from(i))), ("n".to_owned(), Ejson::from(f64::from(i)))]);
        items.insert(format!("doc{i}"), &d).unwrap();
    }
    let all = items.clone();
    let other = items.clone();
    let app = App::builder().publish("items", async move |s: Subscription| s.publish(all.find(Filter::everything())).await)
        .publish("above", async move |s: Subscription, n: f64| s.publish(other.find(Filter::above("price", -n))).await).build().unwrap();
    let sessions: usize = 200;
    let distinct = std::env::args().nth(1).is_some();
    let mut connections = vec![];
    let mut start = rss();
    for n in 0..=sessions {
        if n == 1 { start = rss(); }
        let mut c = app.connect();
        c.send(r#"{"msg":"connect","version":"1","support":["1"]}"#).await;
        let mut ready = 0;
        for i in 0..10 {
            if distinct { c.send(format!(r#"{{"msg":"sub","id":"{i}","name":"above","params":[{}]}}"#, i + 1)).await; }
            else { c.send(format!(r#"{{"msg":"sub","id":"{i}","name":"items"}}"#)).await; }
        }
        while ready < 10 {
            if let Some(FromServer::Frame(f)) = c.receive().await { if f.contains("\"ready\"") { ready += 1; } }
        }
        connections.push(c);
    }
    println!("initial: {} bytes per session and document", (rss() - start) / sessions / 1000);
    for i in 0..1000 { 
        items.update(format!("doc{i}"), Update::new().set("n", f64::from(i) + 0.5)).unwrap();
        for c in &mut connections { loop { match c.receive().await { Some(FromServer::Frame(f)) if f.contains("changed") => break, Some(_) => {}, None => panic!() } } }
    }
    println!("after changes: {} bytes per session and document", (rss() - start) / sessions / 1000);
}
