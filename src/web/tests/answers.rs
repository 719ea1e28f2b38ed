//! What stands in the answers, asked for without a connection.

use super::*;

#[tokio::test]
async fn probe_answers_as_its_predecessor_does() {
    let surface = surface().await;
    let check = async |query: &str, timeout: &str, status: u16, words: &str| {
        let headers = [("X-Prometheus-Scrape-Timeout-Seconds", timeout)];
        let answer = ask(&surface, &format!("/probe?{query}"), &headers).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(words), "{query}: {}", answer.text());
    };
    check("module=well&target=deep", "", 200, "\nprobe_success 1\n").await;
    check("module=well&target=shoal", "", 200, "\nprobe_success 0\n").await;
    check("module=well&target=ashore", "", 200, "\nprobe_success 0\n").await;
    check(
        "module=slow&target=silent",
        "0.51",
        200,
        "\nprobe_success 0\n",
    )
    .await;
    // Each request has a second mistake, which shows the order of the checks.
    check("target=deep", "soon", 400, r#"Unknown module "http_2xx""#).await;
    check("module=deep", "soon", 400, r#"Unknown module "deep""#).await;
    check(
        "module=well",
        "soon",
        500,
        r#"Failed to parse timeout from Prometheus header: "soon""#,
    )
    .await;
    check("module=well", "", 400, "Target parameter is missing").await;
}

#[tokio::test]
async fn unknown_modules_are_counted() {
    let surface = surface().await;
    for count in [1, 2] {
        ask(&surface, "/probe?module=nobody&target=deep", &[]).await;
        let metrics = ask(&surface, "/metrics", &[]).await;
        let line = format!("\nblackbox_module_unknown_total {count}\n");
        assert!(metrics.text().contains(&line), "{}", metrics.text());
    }
}

#[tokio::test]
async fn debug_explains_the_run_and_hides_secrets() {
    let surface = surface().await;
    let check = async |query: &str, words: &[&str]| {
        let path = format!("/probe?debug=true&module=well&{query}");
        let answer = ask(&surface, &path, &[]).await;
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        for word in words {
            assert!(
                answer.text().contains(word),
                "no {word} in:\n{}",
                answer.text()
            );
        }
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    };
    let headings = [
        "Logs for the probe:\ntime=",
        "\n\nMetrics that would have been returned:\n# HELP probe_success ",
        "\n\nModule configuration:\n",
        "<secret>",
    ];
    check("target=deep", &headings).await;
    check(
        "target=deep",
        &["level=info event=depth fathoms=12 hostname=null\n"],
    )
    .await;
    check("target=deep&hostname=h.example", &["hostname=h.example\n"]).await;
    check(
        "target=deep",
        &["level=info event=succeeded duration_seconds="],
    )
    .await;
    check(
        "target=shoal",
        &[r#"level=error event=failed phase=start reason=refused detail="nobody is here""#],
    )
    .await;
    check(
        "target=ashore",
        &["there is no water at this target", "probe_success 0"],
    )
    .await;
    let plain = ask(&surface, "/probe?debug=1&module=well&target=deep", &[]).await;
    assert!(!plain.text().contains("Module configuration"));
}

#[tokio::test]
async fn a_target_that_was_escaped_twice_is_understood() {
    let surface = surface().await;
    let probe = "/probe?module=well&target";
    let answer = ask(&surface, &format!("{probe}=twice%253A7"), &[]).await;
    assert!(
        answer.text().contains("probe_success 1\n"),
        "{}",
        answer.text()
    );
    let logged = ask(&surface, "/logs?target=twice:7", &[]).await;
    assert_eq!(logged.status, 200);
    // What makes no sense either way is told as it came.
    let answer = ask(&surface, &format!("{probe}=100%25"), &[]).await;
    assert!(
        answer.text().contains("probe_success 0\n"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn paths_for_operators_answer_what_tools_expect() {
    let surface = surface().await;
    let check = async |line: &str, status: u16, words: &str| {
        let answer = ask(&surface, line, &[]).await;
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.text().contains(words), "{line}: {}", answer.text());
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{line}");
        answer.header("allow").to_owned()
    };
    check("/-/healthy", 200, "Healthy").await;
    check("/-/ready", 200, "Ready").await;
    check("/config", 200, "<secret>").await;
    check("/", 200, "<html").await;
    check("/nowhere", 404, "nothing here").await;
    assert_eq!(check("/-/reload", 405, "").await, "POST, PUT");
    assert_eq!(check("DELETE /metrics", 405, "").await, "GET, HEAD");
}

#[tokio::test]
async fn everything_lies_below_the_prefix() {
    let surface = Surface {
        prefix: Prefix::of("https://example.com/probes", "").unwrap(),
        ..surface().await
    };
    let check = async |path: &str, status: u16, location: &str| {
        let answer = ask(&surface, path, &[]).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("location"), location, "{path}");
    };
    check("/probes/-/healthy", 200, "").await;
    check("/probes/probe?module=well&target=deep", 200, "").await;
    check("/probes/", 200, "").await;
    check("/", 302, "https://example.com/probes/").await;
    check("/-/healthy", 404, "").await;
}

#[tokio::test]
async fn only_who_knows_a_password_is_answered() {
    let stage = tempfile::TempDir::new().unwrap();
    let file = stage.path().join("web.yml");
    let hash = bcrypt::hash_with_salt("sesame", 4, [7; 16]).unwrap();
    let text = format!(
        "basic_auth_users: {{ alice: {hash} }}\nhttp_server_config: \
         {{ headers: {{ X-Frame-Options: deny }} }}\nrate_limit: {{ interval: 1h, burst: 4 }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let surface = Surface {
        access: Arc::new(Access::open(Some(file)).unwrap()),
        ..surface().await
    };
    let check = async |credentials: Option<&str>, status: u16| {
        let fields: Vec<_> = credentials
            .map(|c| ("authorization", c))
            .into_iter()
            .collect();
        let answer = ask(&surface, "/-/healthy", &fields).await;
        assert_eq!(answer.status, status, "{credentials:?}");
        assert_eq!(answer.header("x-frame-options"), "deny");
        answer.header("www-authenticate").to_owned()
    };
    assert!(check(None, 401).await.starts_with("Basic realm="));
    check(Some("Basic YWxpY2U6b3Blbg=="), 401).await;
    assert_eq!(check(Some("Basic YWxpY2U6c2VzYW1l"), 200).await, "");
    check(Some("Basic YWxpY2U6c2VzYW1l"), 200).await;
    // All together have asked as often as they may.
    check(Some("Basic YWxpY2U6c2VzYW1l"), 429).await;
}

#[tokio::test]
async fn stopping_program_is_healthy_and_not_ready() {
    let (host, stopper) = host(CONFIG).await;
    let surface = Surface::new(host);
    stopper.stop();
    assert_eq!(ask(&surface, "/-/ready", &[]).await.status, 503);
    assert_eq!(ask(&surface, "/-/healthy", &[]).await.status, 200);
}

#[tokio::test]
async fn reload_says_what_is_wrong_and_leaves_the_rest_as_it_was() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let surface = Surface::new(host_from(CONFIG, file.path()).await.0);
    let check = async |config: &str, method: &str, status: u16, words: &[&str]| {
        std::fs::write(file.path(), config).unwrap();
        let answer = ask(&surface, &format!("{method} /-/reload"), &[]).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        for word in words {
            assert!(
                answer.text().contains(word),
                "no {word} in: {}",
                answer.text()
            );
        }
        ask(&surface, "/probe?module=new&target=deep", &[])
            .await
            .status
    };
    let new = "modules: { new: { prober: lead } }";
    let wrong = ["failed to reload config: ", ":1:19: ", "prober"];
    let broken = "modules: { new: { probr: lead } }";
    assert_eq!(check(broken, "POST", 500, &wrong).await, 400);
    assert_eq!(check(new, "POST", 200, &["reloaded"]).await, 200);
    assert_eq!(check(broken, "PUT", 500, &wrong).await, 200);
}

#[tokio::test]
async fn logs_are_found_by_number_or_by_target() {
    let surface = surface().await;
    for target in ["deep", "shoal", "deep"] {
        let path = format!("/probe?module=well&target={target}");
        assert_eq!(ask(&surface, &path, &[]).await.status, 200);
    }
    let check = async |query: &str, status: u16, words: &str| {
        let answer = ask(&surface, &format!("/logs{query}"), &[]).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(words), "{query}: {}", answer.text());
    };
    check("?id=0", 200, "probe_success 1").await;
    check("?id=1", 200, "probe_success 0").await;
    check("?target=shoal", 200, "probe_success 0").await;
    check("?target=deep&module=well", 200, "probe_success 1").await;
    check("?id=3", 404, "id 3").await;
    check("?target=nobody", 404, "nobody").await;
    check("?target=deep&module=slow", 404, "deep").await;
    check("", 400, "which run").await;
    check("?id=x", 400, "which run").await;
    check("?module=well", 400, "which run").await;
    check("?id=0&target=deep", 400, "not both").await;
}

#[tokio::test]
async fn page_shows_failures_first_and_no_text_of_others_as_markup() {
    let surface = surface().await;
    let hostile = "/probe?module=well&target=%3Cimg%20src%3Dx%20onerror%3D%22a%22%3E";
    ask(&surface, hostile, &[]).await;
    ask(&surface, "/probe?module=well&target=deep", &[]).await;
    let page = ask(&surface, "/", &[]).await;
    let text = page.text();
    assert!(!text.contains("<img"), "{text}");
    assert!(!text.contains("<script"), "{text}");
    assert!(
        text.contains("&#60;img src=x onerror=&#34;a&#34;&#62;"),
        "{text}"
    );
    let (failures, runs) = text
        .split_once("<h2>Failures</h2>")
        .and_then(|(_, rest)| rest.split_once("<h2>Recent runs</h2>"))
        .unwrap();
    assert!(
        failures.contains("nobody is here") && failures.contains("logs?id=0"),
        "{failures}"
    );
    assert!(!failures.contains("logs?id=1"), "{failures}");
    assert!(
        runs.find("logs?id=1").unwrap() < runs.find("logs?id=0").unwrap(),
        "{runs}"
    );
    assert!(
        !text.contains("<!--"),
        "a place of the template is left over"
    );
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
}

#[tokio::test]
async fn scraper_chooses_format_and_coding() {
    let surface = surface().await;
    let check = async |accept: &str, coding: &str, media: &str, encoding: &str| {
        let headers = [("Accept", accept), ("Accept-Encoding", coding)];
        let answer = ask(&surface, "/metrics", &headers).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").starts_with(media), "{accept}");
        assert_eq!(answer.header("content-encoding"), encoding, "{coding}");
        assert_eq!(answer.header("vary"), "Accept, Accept-Encoding");
        assert_eq!(answer.body.starts_with(&[0x1f, 0x8b]), encoding == "gzip");
    };
    check("text/plain", "identity", "text/plain; version=0.0.4", "").await;
    check("text/plain", "gzip", "text/plain; version=0.0.4", "gzip").await;
    check(
        "application/openmetrics-text",
        "",
        "application/openmetrics-text",
        "",
    )
    .await;
    let headers = [
        ("Accept", "application/openmetrics-text"),
        ("Accept-Encoding", "gzip"),
    ];
    let probe = ask(&surface, "/probe?module=well&target=deep", &headers).await;
    assert_eq!(
        probe.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(probe.header("content-encoding"), "gzip");
}
