//! A real browser: Debian's Chromium, headless, driven through its own WebDriver. Both are installed by
//! `.ci/test`; where they are missing a browser test fails and says so.
//!
//! What the tests need of the W3C's WebDriver protocol is spoken here.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::http::TOKEN;
use crate::support::app::TestApp;

// No WebDriver crate: thirtyfour turns serde_json's `preserve_order` on, and cargo unites features, so every
// test would run with maps in another order than the binary that is released.

/// How long an element is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the page is left alone between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// The key of an element's reference, as the protocol fixes it.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How an element is looked for.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    Css(&'a str),
    XPath(&'a str),
}

/// A session with the driver: what its one window shows.
#[derive(Clone)]
pub struct Page {
    client: reqwest::Client,
    /// The session's own address.
    session: String,
}

impl Page {
    /// Begins a session.
    async fn new(driver: &str, wishes: Value) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(120))
            .build();
        let mut page = Self {
            client: client.unwrap(),
            session: format!("{driver}/session"),
        };
        let wishes = json!({"capabilities": {"alwaysMatch": wishes}});
        let begun = page.call(Method::POST, "", &wishes).await?;
        let id = begun["sessionId"].as_str();
        let id = id.ok_or_else(|| format!("no session: {begun}"))?;
        page.session = format!("{driver}/session/{id}");
        Ok(page)
    }

    /// One command: the value of its answer, or the error that the driver tells.
    async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.session));
        if method == Method::POST {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = response.status();
        let answer = response.json::<Value>().await;
        let mut answer = answer.map_err(|error| format!("{status}: {error:?}"))?;
        let value = answer["value"].take();
        if status.is_success() {
            Ok(value)
        } else {
            let told = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            Err(format!("{}: {}", told("error"), told("message")))
        }
    }

    /// Shows pages as a screen of that size does, also where the browser's own window cannot be so narrow.
    pub async fn measures(&self, width: u32, height: u32) -> Result<(), String> {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let body = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size});
        let measured = self.call(Method::POST, "/goog/cdp/execute", &body).await;
        measured.map(drop)
    }

    async fn goto(&self, address: &str) -> Result<(), String> {
        let body = json!({ "url": address });
        self.call(Method::POST, "/url", &body).await.map(drop)
    }

    /// Loads the page anew.
    pub async fn refresh(&self) -> Result<(), String> {
        let loaded = self.call(Method::POST, "/refresh", &json!({})).await;
        loaded.map(drop)
    }

    /// Every such element that is there now.
    pub async fn find_all(&self, by: By<'_>) -> Result<Vec<Element>, String> {
        let (using, value) = match by {
            By::Css(css) => ("css selector", css),
            By::XPath(path) => ("xpath", path),
        };
        let body = json!({"using": using, "value": value});
        let found = self.call(Method::POST, "/elements", &body).await?;
        let one = |reference: &Value| {
            let id = reference[ELEMENT].as_str();
            Some(Element {
                page: self.clone(),
                id: id?.to_owned(),
            })
        };
        let all = found
            .as_array()
            .and_then(|all| all.iter().map(one).collect());
        all.ok_or_else(|| format!("no list of elements: {found}"))
    }

    /// The first such element, waited for.
    async fn first(&self, by: By<'_>) -> Result<Element, String> {
        let begun = Instant::now();
        loop {
            // An error may be of the page that is just left.
            let missing = match self.find_all(by).await {
                Ok(mut all) if !all.is_empty() => return Ok(all.swap_remove(0)),
                Ok(_) => format!("not within {PATIENCE:?}"),
                Err(error) => error,
            };
            if begun.elapsed() > PATIENCE {
                return Err(missing);
            }
            // WebDriver answers what is there now and has no event for what comes: between two askings.
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// From now on pages are shown as those see them who prefer dark ones.
    pub async fn dim(&self) -> Result<(), String> {
        let dark = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
        let body = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"features": dark}});
        let dimmed = self.call(Method::POST, "/goog/cdp/execute", &body).await;
        dimmed.map(drop)
    }

    /// Shows this tab again, where another one was opened before it.
    pub async fn come_to_front(&self) -> Result<(), String> {
        let body = json!({"cmd": "Page.bringToFront", "params": {}});
        let came = self.call(Method::POST, "/goog/cdp/execute", &body).await;
        came.map(drop)
    }

    /// What it looks like, as a PNG in base64.
    pub async fn screenshot(&self) -> Result<String, String> {
        let taken = self.call(Method::GET, "/screenshot", &Value::Null).await?;
        let text = taken.as_str().map(str::to_owned);
        text.ok_or_else(|| "no screenshot".to_owned())
    }

    /// What the script returns.
    pub async fn execute(&self, script: &str) -> Result<Value, String> {
        let body = json!({"script": script, "args": []});
        self.call(Method::POST, "/execute/sync", &body).await
    }

    /// What the script hands to its last argument.
    pub async fn execute_async(&self, script: &str) -> Result<Value, String> {
        let body = json!({"script": script, "args": []});
        self.call(Method::POST, "/execute/async", &body).await
    }

    /// Ends the session, and the browser with it.
    async fn quit(&self) -> Result<(), String> {
        let ended = self.call(Method::DELETE, "", &Value::Null).await;
        ended.map(drop)
    }
}

/// Something on the page.
pub struct Element {
    page: Page,
    id: String,
}

impl Element {
    async fn call(&self, method: Method, what: &str, body: &Value) -> Result<Value, String> {
        let path = format!("/element/{}/{what}", self.id);
        self.page.call(method, &path, body).await
    }

    async fn click(&self) -> Result<(), String> {
        let clicked = self.call(Method::POST, "click", &json!({})).await;
        clicked.map(drop)
    }

    /// Types into it.
    pub async fn send_keys(&self, keys: &str) -> Result<(), String> {
        let body = json!({ "text": keys });
        self.call(Method::POST, "value", &body).await.map(drop)
    }

    /// Its text as it is seen.
    pub async fn text(&self) -> Result<String, String> {
        let text = self.call(Method::GET, "text", &Value::Null).await?;
        let seen = text.as_str().map(str::to_owned);
        seen.ok_or_else(|| format!("no text: {text}"))
    }
}

/// One browser window, closed and gone with the test.
pub struct Window {
    pub page: Page,
    driver: Child,
    _profile: tempfile::TempDir,
    origin: String,
}

/// Starts ChromeDriver; answers its port. It takes a free port of IPv4 and ends where another process has the same
/// one of IPv6, which happens now and then on a busy machine: then it is started again.
fn start_driver() -> (Child, String) {
    for _ in 0..5 {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is not there: apt-get install chromium chromium-driver");
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let rest = line.split_once("successfully on port ")?.1;
            Some(rest.trim_end_matches('.').to_owned())
        });
        match port {
            Some(port) => return (driver, port),
            None => drop(driver.wait()),
        }
    }
    panic!("chromedriver ended five times before it listened");
}

impl Window {
    /// Opens a window of that size, with scripts allowed or not.
    ///
    /// # Panics
    /// Without Chromium or its driver.
    pub async fn open(app: &TestApp, width: u32, scripts: bool) -> Self {
        let (driver, port) = start_driver();
        let profile = tempfile::tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let size = format!("--window-size={width},1000");
        let mut options = json!({"args": [
            "--headless=new",
            // The tests run as root in containers, which Chromium's sandbox refuses.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--no-first-run",
            "--disable-background-networking",
            folder,
            size,
        ]});
        if !scripts {
            options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
        }
        let wishes = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "timeouts": {"script": 60_000, "pageLoad": 60_000},
        });
        let page = Page::new(&format!("http://127.0.0.1:{port}"), wishes)
            .await
            .unwrap();
        page.measures(width, 1000).await.unwrap();
        Self {
            page,
            driver,
            _profile: profile,
            origin: app.http.url(""),
        }
    }

    /// Opens a page of the app.
    pub async fn go(&self, path: &str) {
        let address = format!("{}{path}", self.origin);
        self.page.goto(&address).await.unwrap();
    }

    /// Signs in with the tests' token, by the form.
    pub async fn sign_in(&self) {
        self.go("/console/sign-in").await;
        let field = self.find("#token").await;
        field.send_keys(TOKEN).await.unwrap();
        self.press("Sign in").await;
        self.shows("Overview").await;
    }

    /// The first element that a selector finds, waited for.
    pub async fn find(&self, css: &str) -> Element {
        let found = self.page.first(By::Css(css)).await;
        found.unwrap_or_else(|error| panic!("no {css} on the page: {error}"))
    }

    /// Presses the button with those words.
    pub async fn press(&self, words: &str) {
        let path = format!("//button[normalize-space()='{words}' or @aria-label='{words}']");
        let found = self.page.first(By::XPath(&path)).await;
        let button = found.unwrap_or_else(|error| panic!("no button “{words}”: {error}"));
        button.click().await.unwrap();
    }

    /// Follows the link with those words.
    pub async fn follow(&self, words: &str) {
        let path = format!("//a[normalize-space()='{words}']");
        let found = self.page.first(By::XPath(&path)).await;
        let link = found.unwrap_or_else(|error| panic!("no link “{words}”: {error}"));
        link.click().await.unwrap();
    }

    /// What a reader reads on the page.
    pub async fn text(&self) -> String {
        self.find("main").await.text().await.unwrap()
    }

    /// Waits until the page says it.
    pub async fn shows(&self, words: &str) {
        let path = format!("//main[contains(normalize-space(), \"{words}\")]");
        let found = self.page.first(By::XPath(&path)).await;
        if found.is_err() {
            panic!(
                "the page does not say “{words}” but:\n{}",
                self.text().await
            );
        }
    }

    /// By how many pixels the page is wider than the window.
    pub async fn too_wide(&self) -> i64 {
        let wide = "return document.documentElement.scrollWidth - window.innerWidth";
        let over = self.page.execute(wide).await.unwrap();
        over.as_i64().unwrap()
    }

    /// Writes what the whole page looks like where `SHOTS` says.
    pub async fn shoot(&self, name: &str) {
        let Ok(folder) = std::env::var("SHOTS") else {
            return;
        };
        let size = "return [window.innerWidth, Math.ceil(document.documentElement.scrollHeight)]";
        let size = self.page.execute(size).await.unwrap();
        let pixels = |side: &Value| u32::try_from(side.as_u64().unwrap()).unwrap();
        let (width, height) = (pixels(&size[0]), pixels(&size[1]));
        let whole = self.page.measures(width, height.clamp(600, 6_000));
        whole.await.unwrap();
        let taken = self.page.screenshot().await.unwrap();
        let name = name.trim_start_matches('/').replace(['/', '?', '='], "_");
        let bytes = STANDARD.decode(taken).unwrap();
        std::fs::write(format!("{folder}/{name}.png"), bytes).unwrap();
        self.page.measures(width, 1_000).await.unwrap();
    }

    /// Closes it.
    pub async fn close(mut self) {
        let _ = self.page.quit().await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
