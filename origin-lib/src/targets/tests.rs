use super::*;
use crate::driver::Nodes;

/// The inside of a `[[target]]` at an address where nobody answers: what is tried here needs no bucket.
fn text(id: &str, node: &str) -> String {
    format!(
        "id = \"{id}\"\nkind = \"http\"\nurl = \"http://127.0.0.1:9/{id}\"\nnode = {{ id = \"{node}\", url = \"http://127.0.0.1:9/{id}\" }}"
    )
}

fn target(id: &str, node: &str) -> Target {
    parse(&text(id, node), Path::new("")).unwrap()
}

/// The same, with its objects somewhere else.
fn elsewhere(id: &str, node: &str) -> Target {
    let text = text(id, node).replacen(&format!("/{id}\""), "/other\"", 1);
    parse(&text, Path::new("")).unwrap()
}

fn id(text: &str) -> TargetId {
    text.parse().unwrap()
}

struct House {
    dir: tempfile::TempDir,
    configured: Vec<Target>,
}

impl House {
    fn new(configured: &[&str]) -> House {
        let configured = configured.iter().map(|id| target(id, id)).collect();
        House { dir: tempfile::tempdir().unwrap(), configured }
    }

    /// As an origin starts: the targets, and what the desk is told from then on.
    fn open(&self) -> (Targets, (Nodes, Takers), mpsc::Receiver<Message>) {
        let begin = Begin::read(self.dir.path(), self.dir.path(), &self.configured).unwrap();
        let for_desk = (begin.nodes(), begin.takers());
        let (desk, messages) = crate::driver::channel();
        let tools = Tools {
            client: crate::web::client().unwrap(),
            metrics: Metrics::new(),
            evidence: Evidence::start(&self.dir.path().join("evidence")).unwrap(),
            desk,
            other: None,
        };
        (Targets::start(self.dir.path(), begin, tools).unwrap(), for_desk, messages)
    }
}

/// What the desk is told of targets, but for whether their nodes are up.
fn told(messages: &mut mpsc::Receiver<Message>) -> Vec<String> {
    let mut told = Vec::new();
    while let Ok(message) = messages.try_recv() {
        told.push(match message {
            Message::Target { target, node, since } => {
                format!("{target} weighs {}, {}", node.weight, if since.0 == 0 { "all" } else { "new only" })
            }
            Message::Again { target, .. } => format!("{target} begins anew"),
            Message::Drain(target) => format!("{target} drains"),
            Message::Removed(target) => format!("{target} is gone"),
            Message::NodeUp(..) => continue,
            other => panic!("{other:?}"),
        });
    }
    told
}

fn names(targets: &Targets) -> Vec<String> {
    targets.list().iter().map(|one| format!("{} {:?}", one.id, one.standing)).collect()
}

#[tokio::test]
async fn what_a_person_changed_is_so_after_a_restart() {
    let house = House::new(&["a", "b"]);
    let (targets, _, mut messages) = house.open();
    targets.add(&text("c", "c"), true).await.unwrap();
    targets.add(&text("d", "d"), false).await.unwrap();
    targets.drain(&id("a")).await.unwrap();
    targets.remove(&id("b")).await.unwrap();
    assert_eq!(told(&mut messages), ["c weighs 100, all", "d weighs 100, new only", "a drains", "b is gone"]);
    let now = ["a Draining", "c Active", "d Active"];
    assert_eq!(names(&targets), now);
    assert_eq!(targets.takers().into_keys().collect::<Vec<_>>(), [id("c"), id("d")]);
    drop(targets);

    let (targets, for_desk, _) = house.open();
    assert_eq!(names(&targets), now);
    assert_eq!(for_desk.0[&id("a")].weight, 0);
    let takers: Vec<_> = for_desk.1.into_iter().map(|(target, since)| (target, since.0 > 0)).collect();
    assert_eq!(takers, [(id("c"), false), (id("d"), true)]);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_what_to_do() {
    let house = House::new(&["a", "b"]);
    let (targets, _, mut messages) = house.open();
    let refused = |result: Result<(), Refusal>| result.unwrap_err().to_string();
    let added = async |text: &str| refused(targets.add(text, true).await.map(drop));
    assert!(added(&text("a", "x")).await.contains("already (a)"));
    assert!(added(&text("x", "b")).await.contains("already (b)"));
    let problems = added("id = \"x\"\nkind = \"s3\"\n").await;
    assert!(problems.contains("bucket") && problems.contains("has no node"), "{problems}");
    assert!(refused(targets.drain(&id("x")).await).contains("`railbird target list` names them"));
    assert!(refused(targets.remove(&id("x")).await).contains("`railbird target list` names them"));
    targets.drain(&id("a")).await.unwrap();
    assert!(refused(targets.drain(&id("b")).await).contains("add another one first"));
    assert!(refused(targets.remove(&id("b")).await).contains("add another one first"));
    assert_eq!(told(&mut messages), ["a drains"]);
}

#[tokio::test]
async fn a_configuration_that_is_read_again_adds_replaces_and_removes() {
    let house = House::new(&["a", "b"]);
    let (targets, _, mut messages) = house.open();
    targets.add(&text("mine", "mine"), true).await.unwrap();
    told(&mut messages);
    assert_eq!(targets.reload(&house.configured).await.unwrap(), Vec::<String>::new(), "nothing has changed");
    let heavier = Target { weight: 300, ..target("a", "a") };
    let moved = target("c", "elsewhere");
    let done = targets.reload(&[heavier.clone(), moved.clone()]).await.unwrap();
    assert_eq!(done, ["target b removed", "target a: weight 300", "target c: added"]);
    assert_eq!(told(&mut messages), ["b is gone", "a weighs 300, all", "c weighs 100, all"]);
    let heavier = Target { price_micros_per_gb: 5, ..heavier };
    let done = targets.reload(&[heavier.clone(), moved]).await.unwrap();
    assert_eq!(done, ["target a: price 5 millionths a gigabyte"]);
    assert_eq!(told(&mut messages), ["a weighs 300, all"]);
    let moved = elsewhere("c", "elsewhere");
    let done = targets.reload(&[heavier.clone(), moved.clone()]).await.unwrap();
    assert_eq!(done, ["target c: replaced"]);
    assert_eq!(told(&mut messages), ["c is gone", "c weighs 100, all"]);
    // What it has, it keeps, whatever else is another now.
    let faster = Target { backfill_mbps: 7, ..moved };
    assert_eq!(targets.reload(&[heavier.clone(), faster.clone()]).await.unwrap(), ["target c: changed"]);
    assert_eq!(told(&mut messages), ["c begins anew"]);
    assert_eq!(names(&targets), ["a Active", "c Active", "mine Active"], "what was added at run time stays");

    // What can't be done leaves everything as it was.
    let same_node = target("new", "mine");
    let done = targets.reload(&[heavier, faster, same_node, target("mine", "own")]).await.unwrap();
    assert!(
        done[0].contains("target new: left as it was: there is a target or node of this name"),
        "{done:?}"
    );
    assert!(done[1].contains("target mine: left out, since one of this name was added"), "{done:?}");
    assert_eq!(told(&mut messages), [""; 0]);
}

#[tokio::test]
async fn a_target_that_cannot_be_opened_changes_nothing_and_stops_no_start() {
    let house = House::new(&["a"]);
    let ca = house.dir.path().join("ca.pem");
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let (targets, _, mut messages) = house.open();
    let text = format!("{}\nca_file = \"ca.pem\"\n", text("x", "x").replace("http:", "https:"));
    assert!(matches!(targets.add(&text, true).await, Err(Refusal::Invalid(_))));
    assert_eq!((told(&mut messages), names(&targets)), (vec![], vec!["a Active".to_string()]));
    drop(targets);
    // An earlier version kept it all the same.
    let mut kept = Kept::read(house.dir.path()).unwrap();
    kept.added.insert(id("x"), text);
    kept.write(house.dir.path()).unwrap();
    let (targets, ..) = house.open();
    assert_eq!(names(&targets), ["a Active"]);
}

#[tokio::test]
async fn a_target_that_moved_while_the_origin_was_stopped_is_found() {
    let mut house = House::new(&["a", "b"]);
    let moved =
        |house: &House| Begin::read(house.dir.path(), house.dir.path(), &house.configured).unwrap().moved();
    assert_eq!(moved(&house), [], "nothing is known of any");
    drop(house.open());
    assert_eq!(moved(&house), []);
    house.configured[1] = Target { weight: 7, backfill_mbps: 7, ..elsewhere("b", "b") };
    assert_eq!(moved(&house), [id("b")]);
    drop(house.open());
    assert_eq!(moved(&house), [], "it was seen to");
}

#[test]
fn a_file_that_cannot_be_read_is_no_reason_to_forget_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(Kept::path(dir.path()), b"{").unwrap();
    let Err(error) = Begin::read(dir.path(), dir.path(), &[]) else { panic!("it was read") };
    assert!(error.to_string().contains("mend it, or move it away"), "{error}");
}

/// A provider that calls each request what it was sent, so that its names for requests hold our credentials.
async fn echo(listener: tokio::net::TcpListener) {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = tokio::io::BufReader::new(stream);
        let (mut sent, mut line, mut len) = (Vec::new(), String::new(), 0);
        while stream.read_line(&mut line).await.is_ok_and(|len| len > 2) {
            sent.extend(line.trim().strip_prefix("authorization: ").map(str::to_string));
            sent.extend(line.trim().strip_prefix("x-key: ").map(str::to_string));
            if let Some(text) = line.trim().strip_prefix("content-length: ") {
                len = text.parse().unwrap();
            }
            line.clear();
        }
        // What is not read would break the answer off.
        let mut body = vec![0; len];
        drop(stream.read_exact(&mut body).await);
        let ids = format!("x-request-id: {} at http://user:s3same@cdn.example/?sig=0f", sent.join(" "));
        let answer = format!("HTTP/1.1 403 No\r\n{ids}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        drop(stream.get_mut().write_all(answer.as_bytes()).await);
    }
}

#[tokio::test]
async fn invariant_8_what_is_kept_of_a_target_has_no_secret_in_it() {
    let house = House::new(&["a"]);
    let at = |name: &str| house.dir.path().join(name);
    std::fs::write(at("password"), "correct-horse").unwrap();
    std::fs::write(at("key"), "battery-staple").unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!(
        "id = \"b\"\nkind = \"http\"\nurl = \"http://{}/b\"\nuser = \"we\"\npassword = {{ file = \"password\" }}\n\
         headers = {{ x-key = {{ file = \"key\" }} }}\nnode = {{ id = \"b\", url = \"http://127.0.0.1:9/b\" }}",
        listener.local_addr().unwrap()
    );
    let mut provider = JoinSet::new();
    provider.spawn(echo(listener));
    let (targets, _, _messages) = house.open();
    // As at run time: the configuration that the origin began with knows nothing of it.
    targets.add(&text, true).await.unwrap();
    let kept = async {
        loop {
            let files = std::fs::read_dir(at("evidence")).unwrap();
            let kept: String =
                files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
            if kept.contains("x-request-id") {
                return kept;
            }
            tokio::task::yield_now().await;
        }
    };
    let kept = tokio::time::timeout(Duration::from_secs(60), kept).await.unwrap();
    assert!(kept.contains("[removed]") && kept.contains("check user and password"), "{kept}");
    let sent = crate::config::basic("we", &crate::config::Secret::new("correct-horse"));
    for secret in ["correct-horse", sent.expose(), "battery-staple", "s3same", "sig=0f"] {
        assert!(!kept.contains(secret), "{secret}: {kept}");
    }
}
