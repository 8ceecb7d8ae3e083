//! A real browser: Debian's Chromium, headless, driven through its own WebDriver. Both are installed by
//! `.ci/test`; where they are missing a browser test fails and says so.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use thirtyfour::prelude::*;

use super::http::TOKEN;
use crate::support::app::TestApp;

/// One browser window, closed and gone with the test.
pub struct Window {
    pub page: WebDriver,
    driver: Child,
    _profile: tempfile::TempDir,
    origin: String,
}

impl Window {
    /// Opens a window of that size, with scripts allowed or not.
    ///
    /// # Panics
    /// Without Chromium or its driver.
    pub async fn open(app: &TestApp, width: u32, scripts: bool) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is not there: apt-get install chromium chromium-driver");
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let rest = line.split_once("successfully on port ")?.1;
                Some(rest.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver ended before it listened");
        let profile = tempfile::tempdir().unwrap();
        let mut wishes = DesiredCapabilities::chrome();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let size = format!("--window-size={width},1000");
        for one in [
            "--headless=new",
            // The tests run as root in containers, which Chromium's sandbox refuses.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--no-first-run",
            "--disable-background-networking",
            &folder,
            &size,
        ] {
            wishes.add_arg(one).unwrap();
        }
        if !scripts {
            let off = serde_json::json!({"profile.managed_default_content_settings.javascript": 2});
            wishes.add_experimental_option("prefs", off).unwrap();
        }
        let page = WebDriver::new(format!("http://127.0.0.1:{port}"), wishes)
            .await
            .unwrap();
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
        self.page.goto(address).await.unwrap();
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
    pub async fn find(&self, css: &str) -> WebElement {
        let found = self.page.query(By::Css(css)).first().await;
        found.unwrap_or_else(|error| panic!("no {css} on the page: {error}"))
    }

    /// Presses the button with those words.
    pub async fn press(&self, words: &str) {
        let path = format!("//button[normalize-space()='{words}' or @aria-label='{words}']");
        let found = self.page.query(By::XPath(path)).first().await;
        let button = found.unwrap_or_else(|error| panic!("no button “{words}”: {error}"));
        button.click().await.unwrap();
    }

    /// Follows the link with those words.
    pub async fn follow(&self, words: &str) {
        let path = format!("//a[normalize-space()='{words}']");
        let found = self.page.query(By::XPath(path)).first().await;
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
        let found = self.page.query(By::XPath(path)).first().await;
        if found.is_err() {
            panic!(
                "the page does not say “{words}” but:\n{}",
                self.text().await
            );
        }
    }

    /// Closes it.
    pub async fn close(mut self) {
        let page = self.page.clone();
        let _ = page.quit().await;
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
