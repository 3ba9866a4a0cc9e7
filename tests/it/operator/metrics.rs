//! `--metrics-listen`: where the metrics are, and the error messages for mistakes.

use std::net::TcpListener;

use super::{Data, Serving, complaint};
use crate::http::request;

#[tokio::test]
async fn the_metrics_are_on_this_machine_and_apart_from_the_clients() {
    let data = Data::new("metrics");
    let server = Serving::start(data.bolide(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "0"]));
    let told = server.greeting.lines().find_map(|line| line.strip_prefix("metrics on http://")).unwrap();
    let address = told.strip_suffix("/metrics").unwrap().parse().unwrap();
    assert!(told.starts_with("127.0.0.1:"), "{told}");
    let answer = request(address, "GET", "/metrics", &[], "").await;
    assert_eq!(answer.status(), 200);
    let text = answer.body().await;
    assert!(text.contains("\nbolide_ready 1\n") && text.ends_with("# EOF\n"), "{text}");
    assert_eq!(request(server.address, "GET", "/metrics", &[], "").await.status(), 404);
    assert!(server.terminate());
}

#[test]
fn a_wrong_address_is_refused_with_the_name_of_the_flag() {
    let data = Data::new("metrics-refused");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, reason) in
        [("localhost", "it takes PORT or HOST:PORT"), ("1:2:3", "such as 9464"), (&*taken, "choose another")]
    {
        let refused = data.run(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", address], "");
        let said = complaint(&refused);
        assert!(!refused.status.success() && said.contains("--metrics-listen") && said.contains(reason), "{said}");
    }
}
